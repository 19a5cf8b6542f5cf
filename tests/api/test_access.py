"""API keys and their scopes, at every endpoint."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from notifier.vocabulary.status import Mode
from tenants.api_keys import create_key, key_digest
from tenants.models import ApiKey, Tenant
from tests.api.addresses import ENDPOINTS
from tests.api.conftest import ApiSite
from tests.fixtures import Api, api_key


@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
def test_without_a_key_every_endpoint_answers_401(site: ApiSite, method: str, path: str) -> None:
    got = site.anonymous(method, path, {})
    assert (got.status, got.body["code"]) == (401, "unauthenticated")
    assert got.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer ", "Bearer nk_live_unknown", "Basic YTpi", "nk_live_x", "Bearer ünknown", "Bearer a b"]
)
def test_a_malformed_or_unknown_key_is_refused(site: ApiSite, header: str) -> None:
    assert site.anonymous("GET", "/v1/recipients", Authorization=header).status == 401


def test_a_revoked_key_and_a_key_of_an_inactive_tenant_are_refused(site: ApiSite) -> None:
    ApiKey.objects.filter(tenant=site.people.acme).update(revoked_at=datetime.now(UTC))
    Tenant.objects.filter(pk=site.people.globex.pk).update(active=False)
    assert site.acme("GET", "/v1/recipients").status == 401
    assert site.globex("GET", "/v1/recipients").status == 401


@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
def test_a_key_without_the_scope_is_forbidden(site: ApiSite, method: str, path: str) -> None:
    got = Api(api_key(site.people.acme, "inbox"))(method, path, {})
    assert (got.status, got.body["code"]) == (403, "forbidden")
    assert "scope" in got.body["detail"]


def test_a_new_key_is_shown_once_and_stored_as_a_digest(site: ApiSite) -> None:
    row, secret = create_key(site.people.acme, "server", Mode.TEST, ["send"])
    assert secret.startswith("nk_test_")
    assert secret.startswith(row.prefix)
    assert len(secret) > len(row.prefix) + 30
    assert bytes(ApiKey.objects.get(pk=row.pk).digest) == key_digest(secret)


def test_the_use_of_a_key_is_recorded_at_most_once_a_minute(site: ApiSite) -> None:
    key = ApiKey.objects.get(tenant=site.people.acme)
    site.acme("GET", "/v1/recipients")
    key.refresh_from_db()
    first = key.last_used_at
    assert first is not None
    just_now, long_ago = datetime.now(UTC) - timedelta(seconds=30), datetime.now(UTC) - timedelta(minutes=2)
    for before, moved in ((just_now, False), (long_ago, True)):
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=before)
        site.acme("GET", "/v1/recipients")
        key.refresh_from_db()
        assert (key.last_used_at != before) is moved
