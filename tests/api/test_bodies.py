"""Malformed, oversized and unstorable bodies and values, at every endpoint that takes a body."""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any

import pytest
from django.core.handlers.asgi import ASGIRequest
from rest_framework.request import Request

from notifier.api.framework import body
from notifier.models import Notification
from tests.api.addresses import WITH_A_BODY, WITH_FILES
from tests.api.conftest import ApiSite, payload

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
    "16 MB": (b'{"name": "' + b"x" * 16_000_000 + b'"}', 413),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE_BODIES)
@pytest.mark.parametrize(("method", "path"), WITH_A_BODY)
def test_a_hostile_body_is_refused_with_the_reason(site: ApiSite, method: str, path: str, name: str) -> None:
    content, status = HOSTILE_BODIES[name]
    if name == "nothing" and path.startswith("/v1/recipients/dora") and method == "PUT":
        status = 200  # an empty PUT changes nothing
    if name == "2 MB" and (method, path) in WITH_FILES:
        status = 400
    got = site.acme(method, path, content)
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
def test_a_value_that_cannot_be_stored_is_named_by_its_path(site: ApiSite, data: bytes, field: str, code: str) -> None:
    sent = b'{"recipient": "dora", "template": "shipped", "data": ' + data + b"}"
    got = site.acme("POST", "/v1/notifications", sent)
    assert (got.status, got.body["field"], got.body["code"]) == (400, field, code)
    assert not Notification.objects.exists()


def test_values_that_only_look_unstorable_are_accepted(site: ApiSite) -> None:
    text = b'{"order": "\\ud83d\\ude00 \\\\u0000 1e999", "n": 9223372036854775807, "f": 1.5e15}'
    sent = b'{"recipient": "dora", "template": "shipped", "data": ' + text + b"}"
    assert site.acme("POST", "/v1/notifications", sent).status == 202
    assert Notification.objects.get().data == json.loads(text)


def test_a_body_over_the_limit_is_refused_and_the_limit_is_named(site: ApiSite) -> None:
    got = site.acme("PUT", "/v1/recipients/dora", b" " * (1024 * 1024 + 1))
    assert (got.status, got.body["code"]) == (413, "body_too_large")
    assert "1 MiB" in got.body["detail"]


JSON = [(b"content-type", b"application/json")]


def chunked(content: bytes) -> ASGIRequest:
    """A request as an ASGI server passes it on if the client announced no length."""
    return ASGIRequest({"method": "POST", "path": "/v1/x", "headers": JSON, "query_string": b""}, BytesIO(content))


def test_a_body_in_chunks_is_read_and_limited_as_a_whole() -> None:
    request = chunked(b'{"a": 1}')
    body.read_limited(request)
    assert Request(request, parsers=[body.StrictJSON()]).data == {"a": 1}
    with pytest.raises(body.TooLarge):
        body.read_limited(chunked(b" " * (body.MAX_BODY + 1)))


WRONG: tuple[Any, ...] = (None, True, 7, -1, 1.5, "", "x" * 5000, [], [1], {}, {"a": 1}, [[]], 2**63 - 1, "\U0010ffff")


FIELDS: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "/v1/notifications"): {**payload(), **dict.fromkeys(("category", "channels", "send_at", "not_after"))},
    ("POST", "/v1/notifications/bulk"): {"items": [payload()]},
    ("POST", "/v1/events"): {"events": [{"delivery": "01890000-0000-7000-8000-000000000000", "kind": "opened"}]},
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
def test_no_value_of_any_field_causes_a_500(site: ApiSite, method: str, path: str, field: str) -> None:
    base = {name: value for name, value in FIELDS[method, path].items() if value is not None}
    for value in WRONG:
        got = site.acme(method, path, {**base, field: value})
        assert got.status < 500, (value, got.body)
        if got.status >= 400:
            assert got.body["detail"], value
