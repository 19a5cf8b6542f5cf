"""What every endpoint does alike: keys, scopes, problems, limits, and input that means harm."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

import pytest
from django.core.handlers.asgi import ASGIRequest
from django.db import InterfaceError, OperationalError
from django.db.backends.utils import CursorWrapper
from rest_framework.request import Request

from notifier.api.framework import body
from notifier.api.framework.errors import STATUS_OF, problem_of
from notifier.errors import NotifierError
from notifier.models import Notification
from notifier.vocabulary.status import Mode
from tenants.api_keys import create_key, key_digest
from tenants.models import ApiKey, Tenant
from tests.api.conftest import World, asked
from tests.fixtures import Api, api_key

#: every address and method that takes a body
BODIES = [
    ("POST", "/v1/notifications"),
    ("POST", "/v1/notifications/bulk"),
    ("PUT", "/v1/templates/shipped"),
    ("PUT", "/v1/recipients/dora"),
    ("PUT", "/v1/recipients/dora/preferences"),
    ("POST", "/v1/recipients/dora/devices"),
    ("POST", "/v1/categories"),
]
EVERY = [
    *BODIES,
    ("GET", "/v1/notifications"),
    ("GET", "/v1/notifications/01890000-0000-7000-8000-000000000000"),
    ("GET", "/v1/templates"),
    ("GET", "/v1/templates/shipped"),
    ("GET", "/v1/recipients"),
    ("GET", "/v1/recipients/dora"),
    ("GET", "/v1/recipients/dora/preferences"),
    ("GET", "/v1/recipients/dora/devices"),
    ("DELETE", "/v1/recipients/dora/devices/01890000-0000-7000-8000-000000000000"),
    ("GET", "/v1/categories"),
]


# -- keys and scopes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "path"), EVERY)
def test_without_a_key_nothing_is_told(world: World, method: str, path: str) -> None:
    got = world.nobody(method, path, {})
    assert (got.status, got.body["code"]) == (401, "unauthenticated")
    assert got.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer ", "Bearer nk_live_unknown", "Basic YTpi", "nk_live_x", "Bearer ünknown", "Bearer a b"]
)
def test_a_key_that_is_none_is_refused(world: World, header: str) -> None:
    assert world.nobody("GET", "/v1/recipients", Authorization=header).status == 401


def test_a_revoked_key_and_a_key_of_an_inactive_tenant_are_refused(world: World) -> None:
    ApiKey.objects.filter(tenant=world.people.acme).update(revoked_at=datetime.now(UTC))
    Tenant.objects.filter(pk=world.people.globex.pk).update(active=False)
    assert world.acme("GET", "/v1/recipients").status == 401
    assert world.globex("GET", "/v1/recipients").status == 401


@pytest.mark.parametrize(("method", "path"), EVERY)
def test_a_key_without_the_scope_is_forbidden(world: World, method: str, path: str) -> None:
    got = Api(api_key(world.people.acme, "inbox"))(method, path, {})
    assert (got.status, got.body["code"]) == (403, "forbidden")
    assert "scope" in got.body["detail"]


def test_a_new_key_is_shown_once_and_stored_as_a_digest(world: World) -> None:
    row, secret = create_key(world.people.acme, "server", Mode.TEST, ["send"])
    assert secret.startswith("nk_test_")
    assert secret.startswith(row.prefix)
    assert len(secret) > len(row.prefix) + 30
    assert bytes(ApiKey.objects.get(pk=row.pk).digest) == key_digest(secret)


def test_the_use_of_a_key_is_noted_at_most_once_a_minute(world: World) -> None:
    key = ApiKey.objects.get(tenant=world.people.acme)
    world.acme("GET", "/v1/recipients")
    key.refresh_from_db()
    first = key.last_used_at
    assert first is not None
    just_now, long_ago = datetime.now(UTC) - timedelta(seconds=30), datetime.now(UTC) - timedelta(minutes=2)
    for before, moved in ((just_now, False), (long_ago, True)):
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=before)
        world.acme("GET", "/v1/recipients")
        key.refresh_from_db()
        assert (key.last_used_at != before) is moved


# -- problems ---------------------------------------------------------------------------------------------------------


def test_a_problem_has_all_members(world: World) -> None:
    got = world.acme("GET", "/v1/recipients/nobody")
    assert got.headers["Content-Type"] == "application/problem+json"
    assert got.body["request_id"] == got.headers["X-Request-Id"]
    expected = {"status": 404, "code": "not_found", "field": "external_id", "instance": "/v1/recipients/nobody"}
    assert expected.items() <= got.body.items()
    assert {"type", "title", "detail"} <= got.body.keys()


def all_errors(kind: type[NotifierError]) -> list[type[NotifierError]]:
    return [kind, *(inner for below in kind.__subclasses__() for inner in all_errors(below))]


@pytest.mark.parametrize("kind", all_errors(NotifierError))
def test_every_deliberate_error_has_a_status_of_its_own_line(kind: type[NotifierError]) -> None:
    told = problem_of(kind("why", field="it"))
    assert 400 <= told.status < 500
    assert (told.detail, told.field, told.code) == ("why", "it", kind.code)
    assert any(issubclass(kind, mapped) for mapped, _ in STATUS_OF[:-1]) or kind is NotifierError


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/unknown", 404),
        ("GET", "/v1/", 404),
        ("POST", "/v1/notifications/", 404),
        ("DELETE", "/v1/a/b/c", 404),
        ("DELETE", "/v1/notifications", 405),
        ("PATCH", "/v1/recipients/dora", 405),
        ("OPTIONS", "/v1/recipients", 405),
        ("GET", "/v1/recipients/%00", 404),
        ("GET", "/v1/recipients/a%00/devices", 404),
        ("GET", "/v1/notifications?recipient=%00", 400),
        ("GET", "/v1/notifications?recipient=%ED%A0%80", 400),
        ("GET", f"/v1/notifications?recipient={'x' * 3000}", 400),
        ("GET", "/v1/notifications?%00=1", 400),
    ],
)
def test_strange_addresses_are_answered_with_a_problem(world: World, method: str, path: str, status: int) -> None:
    got = world.acme(method, path)
    assert (got.status, got.body["status"]) == (status, status)


def test_the_methods_that_an_address_has_are_told(world: World) -> None:
    assert world.acme("DELETE", "/v1/recipients").headers["Allow"] == "GET, HEAD"


@pytest.mark.parametrize("accept", ["application/problem+json", "text/html", "image/*;q=0.5", "nonsense"])
def test_whatever_a_client_accepts_it_gets_json(world: World, accept: str) -> None:
    got = world.acme("GET", "/v1/recipients/dora", Accept=accept)
    assert (got.status, got.body["external_id"]) == (200, "dora")
    assert world.acme("GET", "/v1/recipients/nobody", Accept=accept).body["code"] == "not_found"
    assert world.nobody("GET", "/v1/openapi.json", Accept=accept).status == 200
    assert b"<html" in world.nobody("GET", "/v1/docs", Accept=accept).body


@pytest.mark.parametrize(("method", "path"), BODIES)
@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "deflate", "br", "identity, gzip"])
def test_a_compressed_body_is_refused_with_the_remedy(world: World, method: str, path: str, encoding: str) -> None:
    got = world.acme(method, path, gzip.compress(b"{}"), Content_Encoding=encoding)
    assert (got.status, got.body["code"], got.headers["Accept-Encoding"]) == (
        415,
        "unsupported_media_type",
        "identity",
    )
    assert "Content-Encoding" in got.body["detail"]


def test_a_body_that_says_that_it_is_not_compressed_is_taken(world: World) -> None:
    assert world.acme("PUT", "/v1/recipients/dora", {"name": "D"}, Content_Encoding="identity").status == 200


def test_another_media_type_is_refused(world: World) -> None:
    got = world.acme("POST", "/v1/categories", b"key=a", content_type="application/x-www-form-urlencoded")
    assert (got.status, got.body["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize("away", [OperationalError("connection refused at 10.0.0.1"), InterfaceError("closed")])
def test_a_database_that_is_away_is_503_and_when_to_try_again(
    world: World, monkeypatch: pytest.MonkeyPatch, away: Exception
) -> None:
    _break_queries_on(monkeypatch, "tenants_recipient", away)
    got = world.acme("GET", "/v1/recipients/dora")
    assert (got.status, got.body["code"]) == (503, "unavailable")
    assert int(got.headers["Retry-After"]) > 0
    assert "10.0.0.1" not in json.dumps(got.body)


def test_an_unforeseen_error_tells_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    _break_queries_on(monkeypatch, "tenants_recipient", RuntimeError("secret detail"))
    got = world.acme("GET", "/v1/recipients/dora")
    assert (got.status, got.body["code"]) == (500, "internal")
    assert "secret" not in json.dumps(got.body)


def _break_queries_on(monkeypatch: pytest.MonkeyPatch, table: str, error: Exception) -> None:
    execute = CursorWrapper.execute

    def broken(self: CursorWrapper, sql: str, params: Any = None) -> Any:
        if table in sql:
            raise error
        return execute(self, sql, params)

    monkeypatch.setattr(CursorWrapper, "execute", broken)


# -- input that means harm --------------------------------------------------------------------------------------------

DEEP = b"[" * 100_000
HOSTILE_BODIES: dict[str, tuple[bytes, int]] = {
    "nothing": (b"", 400),
    "no json": (b"{", 400),
    "two documents": (b"{} {}", 400),
    "a list": (b"[]", 400),
    "a text": (b'"x"', 400),
    "a number": (b"7", 400),
    "null": (b"null", 400),
    "utf-16": ('{"name": "x"}'.encode("utf-16"), 400),
    "a byte order mark": (b"\xef\xbb\xbf{}", 400),
    "broken utf-8": (b'{"name": "\xff\xfe"}', 400),
    "a surrogate in utf-8": (b'{"name": "\xed\xa0\x80"}', 400),
    "NaN": (b'{"name": NaN}', 400),
    "Infinity": (b'{"name": -Infinity}', 400),
    "an overflowing number": (b'{"name": 1e999}', 400),
    "a huge integer": (b'{"name": ' + b"9" * 5000 + b"}", 400),
    "an integer of 65 bits": (b'{"name": 18446744073709551617}', 400),
    "a raw NUL": (b'{"name": "a\x00b"}', 400),
    "an escaped NUL": (b'{"name": "a\\u0000b"}', 400),
    "a NUL in a name": (b'{"a\\u0000": 1}', 400),
    "half a pair": (b'{"name": "\\ud800"}', 400),
    "half a pair in a name": (b'{"\\uDFFF": 1}', 400),
    "deep lists": (DEEP, 400),
    "deep lists, closed": (b'{"name": ' + b"[" * 40 + b"]" * 40 + b"}", 400),
    "deep after a huge integer": (b'[99999999999999999999,' + DEEP + b"]", 400),
    "2 MB": (b'{"name": "' + b"x" * 2_000_000 + b'"}', 413),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE_BODIES)
@pytest.mark.parametrize(("method", "path"), BODIES)
def test_a_hostile_body_is_refused_with_the_reason(world: World, method: str, path: str, name: str) -> None:
    content, status = HOSTILE_BODIES[name]
    if name == "nothing" and path.startswith("/v1/recipients/dora") and method == "PUT":
        status = 200  # it asks for no change
    got = world.acme(method, path, content)
    assert got.status == status, got.body
    assert status == 200 or got.body["detail"]


@pytest.mark.parametrize(
    ("data", "field", "code"),
    [
        (b'{"a": {"b": ["x\\u0000"]}}', "data.a.b.0", "null_character"),
        (b'{"a": {"\\ud83d": 1}}', "data.a.\\ud83d", "lone_surrogate"),
        (b'{"a": -9223372036854775809}', "data.a", "number_out_of_range"),
        (b'{"a": 1e400}', "data.a", "number_out_of_range"),
    ],
)
def test_what_cannot_be_stored_is_named_by_its_path(world: World, data: bytes, field: str, code: str) -> None:
    sent = b'{"recipient": "dora", "template": "shipped", "data": ' + data + b"}"
    got = world.acme("POST", "/v1/notifications", sent)
    assert (got.status, got.body["field"], got.body["code"]) == (400, field, code)
    assert not Notification.objects.exists()


def test_what_only_looks_suspicious_is_taken(world: World) -> None:
    text = b'{"order": "\\ud83d\\ude00 \\\\u0000 1e999", "n": 9223372036854775807, "f": 1.5e15}'
    sent = b'{"recipient": "dora", "template": "shipped", "data": ' + text + b"}"
    assert world.acme("POST", "/v1/notifications", sent).status == 202
    assert Notification.objects.get().data == json.loads(text)


def test_the_limit_of_a_body_is_stated(world: World) -> None:
    got = world.acme("PUT", "/v1/recipients/dora", b" " * (1024 * 1024 + 1))
    assert (got.status, got.body["code"]) == (413, "body_too_large")
    assert "1 MiB" in got.body["detail"]


JSON = [(b"content-type", b"application/json")]


def chunked(content: bytes) -> ASGIRequest:
    """A request as an ASGI server hands it over when the client announced no length."""
    return ASGIRequest({"method": "POST", "path": "/v1/x", "headers": JSON, "query_string": b""}, BytesIO(content))


def test_a_body_in_chunks_is_read_as_one_and_limited_as_one() -> None:
    request = chunked(b'{"a": 1}')
    body.read_limited(request)
    assert Request(request, parsers=[body.StrictJSON()]).data == {"a": 1}
    with pytest.raises(body.TooLarge):
        body.read_limited(chunked(b" " * (body.MAX_BODY + 1)))


WRONG: tuple[Any, ...] = (None, True, 7, -1, 1.5, "", "x" * 5000, [], [1], {}, {"a": 1}, [[]], 2**63 - 1, "\U0010ffff")
FIELDS: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "/v1/notifications"): {**asked(), **dict.fromkeys(("category", "channels", "send_at", "not_after"))},
    ("POST", "/v1/notifications/bulk"): {"items": [asked()]},
    ("PUT", "/v1/templates/shipped"): {"content": {}, "name": "", "category": None},
    ("PUT", "/v1/recipients/dora"): dict.fromkeys(
        ("name", "email", "phone", "locale", "timezone", "attributes", "status")
    ),
    ("PUT", "/v1/recipients/dora/preferences"): dict.fromkeys(("channels", "categories", "quiet_hours", "language")),
    ("POST", "/v1/recipients/dora/devices"): {"platform": "fcm", "token": "a-good-token", "app": ""},
    ("POST", "/v1/categories"): {"key": "promotions", "name": "P", "kind": "marketing"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "field"), [(m, p, field) for (m, p), fields in FIELDS.items() for field in fields]
)
def test_no_value_of_any_field_is_a_500(world: World, method: str, path: str, field: str) -> None:
    base = {name: value for name, value in FIELDS[method, path].items() if value is not None}
    for value in WRONG:
        got = world.acme(method, path, {**base, field: value})
        assert got.status < 500, (value, got.body)
        if got.status >= 400:
            assert got.body["detail"], value
