"""The problem documents with which every endpoint refuses a request."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from django.db import InterfaceError, OperationalError
from django.db.backends.utils import CursorWrapper

from notifier.api.framework.errors import STATUS_OF, problem_of
from notifier.errors import NotifierError, Unavailable
from tests.api.addresses import WITH_A_BODY
from tests.api.conftest import ApiSite


def test_a_problem_has_all_members(site: ApiSite) -> None:
    got = site.acme("GET", "/v1/recipients/nobody")
    assert got.headers["Content-Type"] == "application/problem+json"
    assert got.body["request_id"] == got.headers["X-Request-Id"]
    expected = {"status": 404, "code": "not_found", "field": "external_id", "instance": "/v1/recipients/nobody"}
    assert expected.items() <= got.body.items()
    assert {"type", "title", "detail"} <= got.body.keys()


def all_errors(kind: type[NotifierError]) -> list[type[NotifierError]]:
    return [kind, *(error for subclass in kind.__subclasses__() for error in all_errors(subclass))]


@pytest.mark.parametrize("kind", all_errors(NotifierError))
def test_every_deliberate_error_has_its_own_status(kind: type[NotifierError]) -> None:
    problem = problem_of(kind("why", field="it"))
    assert 400 <= problem.status < 500 or (kind is Unavailable and problem.status == 503)
    assert (problem.detail, problem.field, problem.code) == ("why", "it", kind.code)
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
def test_strange_addresses_are_answered_with_a_problem(site: ApiSite, method: str, path: str, status: int) -> None:
    got = site.acme(method, path)
    assert (got.status, got.body["status"]) == (status, status)


def test_a_405_names_the_methods_of_the_address(site: ApiSite) -> None:
    assert site.acme("DELETE", "/v1/recipients").headers["Allow"] == "GET, HEAD"


@pytest.mark.parametrize("accept", ["application/problem+json", "text/html", "image/*;q=0.5", "nonsense"])
def test_the_answer_is_json_whatever_the_client_accepts(site: ApiSite, accept: str) -> None:
    got = site.acme("GET", "/v1/recipients/dora", Accept=accept)
    assert (got.status, got.body["external_id"]) == (200, "dora")
    assert site.acme("GET", "/v1/recipients/nobody", Accept=accept).body["code"] == "not_found"
    assert site.anonymous("GET", "/v1/openapi.json", Accept=accept).status == 200
    assert b"<html" in site.anonymous("GET", "/v1/docs", Accept=accept).body


@pytest.mark.parametrize(("method", "path"), WITH_A_BODY)
@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "deflate", "br", "identity, gzip"])
def test_a_compressed_body_is_refused_with_what_to_do(site: ApiSite, method: str, path: str, encoding: str) -> None:
    got = site.acme(method, path, gzip.compress(b"{}"), Content_Encoding=encoding)
    assert (got.status, got.body["code"], got.headers["Accept-Encoding"]) == (
        415,
        "unsupported_media_type",
        "identity",
    )
    assert "Content-Encoding" in got.body["detail"]


def test_the_content_encoding_identity_is_accepted(site: ApiSite) -> None:
    assert site.acme("PUT", "/v1/recipients/dora", {"name": "D"}, Content_Encoding="identity").status == 200


def test_another_media_type_is_refused(site: ApiSite) -> None:
    got = site.acme("POST", "/v1/categories", b"key=a", content_type="application/x-www-form-urlencoded")
    assert (got.status, got.body["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize("away", [OperationalError("connection refused at 10.0.0.1"), InterfaceError("closed")])
def test_a_database_that_is_away_is_answered_with_503_and_a_retry_after(
    site: ApiSite, monkeypatch: pytest.MonkeyPatch, away: Exception
) -> None:
    _break_queries_on(monkeypatch, "tenants_recipient", away)
    got = site.acme("GET", "/v1/recipients/dora")
    assert (got.status, got.body["code"]) == (503, "unavailable")
    assert int(got.headers["Retry-After"]) > 0
    assert "10.0.0.1" not in json.dumps(got.body)


def test_an_unexpected_error_shows_no_detail(site: ApiSite, monkeypatch: pytest.MonkeyPatch) -> None:
    _break_queries_on(monkeypatch, "tenants_recipient", RuntimeError("secret detail"))
    got = site.acme("GET", "/v1/recipients/dora")
    assert (got.status, got.body["code"]) == (500, "internal")
    assert "secret" not in json.dumps(got.body)


def _break_queries_on(monkeypatch: pytest.MonkeyPatch, table: str, error: Exception) -> None:
    execute = CursorWrapper.execute

    def broken(self: CursorWrapper, sql: str, params: Any = None) -> Any:
        if table in sql:
            raise error
        return execute(self, sql, params)

    monkeypatch.setattr(CursorWrapper, "execute", broken)
