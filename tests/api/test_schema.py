"""The OpenAPI document, its page, the health checks, and addresses outside of the API."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.urls import URLPattern, URLResolver, get_resolver
from drf_spectacular.validation import validate_schema

from notifier.web import health
from tests.api.conftest import ApiSite

#: the document itself, and the addresses that catch all others
#: for providers' servers, not for tenants'
RECEIPTS = "/v1/receipts/{provider}/{account_id}/{secret}"
UNDOCUMENTED = {"/v1/openapi.json", "/v1/docs", "/v1/", "/v1/{rest}", RECEIPTS}


@pytest.fixture
def document(site: ApiSite) -> dict[str, Any]:
    got = site.anonymous("GET", "/v1/openapi.json")
    assert (got.status, got.headers["Content-Type"].split(";")[0]) == (200, "application/json")
    parsed: dict[str, Any] = got.body
    return parsed


def addresses(resolver: URLResolver, before: str = "/") -> Iterator[str]:
    for entry in resolver.url_patterns:
        route = before + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from addresses(entry, route)
        elif isinstance(entry, URLPattern):
            yield re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route)


def test_the_document_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    validate_schema(document)  # type: ignore[no-untyped-call]


def test_every_address_is_in_the_document(document: dict[str, Any]) -> None:
    expected = {a for a in addresses(get_resolver()) if a.startswith("/v1/")} - UNDOCUMENTED
    assert set(document["paths"]) == expected


def test_every_operation_has_a_summary_its_own_id_and_its_problem_answers(document: dict[str, Any]) -> None:
    operations = [
        (path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if not path.startswith("/v1/inbox")
    ]
    assert all(operation["summary"] for _, operation in operations)
    ids = [operation["operationId"] for _, operation in operations]
    assert len(ids) == len(set(ids))
    for path, operation in operations:
        answer = operation["responses"]["401"]["content"]
        assert list(answer) == ["application/problem+json"], path
        assert operation["security"] == [{"apiKey": []}], path


def test_every_post_for_servers_takes_an_idempotency_key(document: dict[str, Any]) -> None:
    for path, methods in document["paths"].items():
        if "post" in methods and not path.startswith("/v1/inbox"):
            assert "Idempotency-Key" in {p["name"] for p in methods["post"]["parameters"]}, path


def test_the_page_is_served_without_the_internet(site: ApiSite) -> None:
    got = site.anonymous("GET", "/v1/docs")
    assert got.status == 200
    assert b"/v1/openapi.json" in got.body
    assert not re.search(rb'(?:src|href)="https?://', got.body)


def test_the_health_checks_of_a_healthy_site_pass(site: ApiSite) -> None:
    assert site.anonymous("GET", "/healthz").body == {"status": "ok"}
    got = site.anonymous("GET", "/readyz")
    checks = {"database": "ok", "redis": "ok", "migrations": "ok", "signature": "ok"}
    assert (got.status, got.body["checks"]) == (200, checks)


def test_a_site_whose_signature_the_database_refuses_is_not_ready(site: ApiSite, settings: Any) -> None:
    settings.SECRET_KEY = "another than at the last migrate"
    got = site.anonymous("GET", "/readyz")
    assert (got.status, got.body["checks"]["database"], got.body["checks"]["signature"]) == (503, "ok", "unavailable")


def test_a_failed_check_is_named_without_details(site: ApiSite, settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    got = site.anonymous("GET", "/readyz")
    assert (got.status, got.body["checks"]["redis"]) == (503, "unavailable")
    assert "127.0.0.1" not in str(got.body)


def test_the_root_address_redirects_to_the_admin(site: ApiSite) -> None:
    got = site.anonymous("GET", "/")
    assert (got.status, got.headers["Location"]) == (302, "/admin/")


def test_an_unknown_page_outside_of_the_api_is_not_json(site: ApiSite) -> None:
    got = site.anonymous("GET", "/nothing")
    assert got.status == 404
    assert "json" not in got.headers["Content-Type"]


def test_the_migration_check_remembers_only_success(db: None) -> None:
    recorder, check = MigrationRecorder(connection), health.CHECKS["migrations"]
    health.reset()
    recorder.record_unapplied("inbox", "0001_initial")
    assert not check()
    recorder.record_applied("inbox", "0001_initial")
    assert check()
    recorder.record_unapplied("inbox", "0001_initial")
    assert check()
    health.reset()
    assert not check()
