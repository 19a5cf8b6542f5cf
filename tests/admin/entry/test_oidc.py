"""Login by OIDC against a provider that we did not write (oidc-provider-mock): roles, and what is refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from django.test import Client

from tenants.login import claims as rules
from tenants.login import oidc, second_factor
from tenants.models import AuditLog, Member, Tenant, User
from tests.admin.conftest import Browser
from tests.fixtures import People

provider_mock = pytest.importorskip("oidc_provider_mock")
pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("claims", "roles"),
    [
        ({}, {}),
        ({"notifier_roles": {"acme": "author"}}, {"acme": "author"}),
        ({"notifier_roles": {"acme": "king", "globex": "viewer"}}, {"globex": "viewer"}),
        ({"notifier_roles": ["acme"]}, {}),
        ({"groups": ["marketing", "unknown", 7]}, {"acme": "author"}),
        (
            {"groups": ["marketing", "heads"], "notifier_roles": {"globex": "viewer"}},
            {"acme": "owner", "globex": "viewer"},
        ),
        ({"groups": "marketing"}, {}),
    ],
)
def test_claims_name_roles(claims: dict[str, Any], roles: dict[str, str]) -> None:
    groups = {"marketing": {"acme": "author"}, "heads": {"acme": "owner"}}
    assert rules.roles_from_claims(claims, "notifier_roles", "groups", groups) == roles


@pytest.mark.parametrize(
    ("claims", "accepted"),
    [
        ({"iss": "https://id.example", "aud": "notifier", "sub": "1"}, True),
        ({"iss": "https://id.example/", "aud": ["other", "notifier"], "azp": "notifier", "sub": "1"}, True),
        ({"iss": "https://evil.example", "aud": "notifier", "sub": "1"}, False),
        ({"iss": "https://id.example", "aud": "other", "sub": "1"}, False),
        ({"iss": "https://id.example", "aud": ["notifier", "other"], "azp": "other", "sub": "1"}, False),
        ({"iss": "https://id.example", "aud": "notifier"}, False),
    ],
)
def test_an_id_token_of_another_issuer_or_client_is_refused(claims: dict[str, Any], accepted: bool) -> None:
    assert rules.is_for(claims, "https://id.example", "notifier") is accepted


@pytest.fixture
def provider(settings: Any) -> Iterator[str]:
    with provider_mock.run_server_in_thread() as server:
        issuer = f"http://localhost:{server.server_port}"
        settings.OIDC_ISSUER, settings.OIDC_CLIENT_ID, settings.OIDC_CLIENT_SECRET = issuer, "notifier", "a secret"
        settings.OIDC_NAME = "Example ID"
        settings.AUTHENTICATION_BACKENDS = [*settings.AUTHENTICATION_BACKENDS, oidc.BACKEND]
        yield issuer


def person(issuer: str, sub: str, **claims: Any) -> None:
    httpx.put(f"{issuer}/users/{sub}", json={"email": f"{sub}@example.com", **claims}).raise_for_status()


def arrive(browser: Browser, sub: str, tamper: str = "") -> Any:
    """Go to the provider, log in there, and come back."""
    begin = browser.get("/admin/oidc/begin/")
    query = parse_qs(urlsplit(begin.url).query)
    assert query["code_challenge_method"] == ["S256"] and query["nonce"] and query["state"]
    back = httpx.post(begin.url, data={"sub": sub}).headers["location"]
    path = urlsplit(back)
    return browser.get(f"{path.path}?{re.sub('state=', tamper or 'state=', path.query)}")


def test_the_button_is_shown_only_when_a_provider_is_configured(people: People, settings: Any) -> None:
    assert "oidc/begin" not in Client().get("/admin/login/").content.decode()
    assert Client().get("/admin/oidc/begin/").status_code == 404
    settings.OIDC_ISSUER, settings.OIDC_NAME = "https://id.example", "Example ID"
    assert "Continue with Example ID" in Client().get("/admin/login/").content.decode()


def test_roles_come_and_go_with_the_claims(people: People, provider: str) -> None:
    person(provider, "dora", notifier_roles={"acme": "author", "globex": "viewer"})
    browser = Browser(Client())
    assert arrive(browser, "dora").url == "/admin/"
    assert browser.get("/admin/").status_code == 200
    user = User.objects.get(oidc_subject__isnull=False)
    assert dict(Member.objects.filter(user=user).values_list("tenant__slug", "role")) == {
        "acme": "author",
        "globex": "viewer",
    }
    assert not user.has_usable_password() and not user.is_superuser
    person(provider, "dora", notifier_roles={"acme": "owner"})
    assert arrive(Browser(Client()), "dora").url == "/admin/"
    assert dict(Member.objects.filter(user=user).values_list("tenant__slug", "role")) == {"acme": "owner"}
    assert browser.get("/admin/").status_code == 302, "a lost membership ends the sessions"
    assert AuditLog.objects.filter(action="member.removed_by_claim", tenant=people.globex).count() == 1


def test_a_person_whom_no_claim_names_gets_no_login(people: People, provider: str) -> None:
    person(provider, "eve", preferred_username="ana", email="ana@example.com")
    before = User.objects.count()
    assert arrive(Browser(Client()), "eve").status_code == 403
    assert User.objects.count() == before


def test_an_address_of_a_login_here_opens_that_login_to_nobody(people: People, provider: str) -> None:
    person(provider, "eve", preferred_username="ana", email="ana@example.com", notifier_roles={"acme": "viewer"})
    arrive(Browser(Client()), "eve")
    assert Member.objects.get(user=people.ana).role == "owner"
    assert Member.objects.exclude(user__in=[people.ana, people.ben]).get(tenant=people.acme).user.username == "ana-2"


def test_a_changed_state_is_refused(people: People, provider: str) -> None:
    person(provider, "dora", notifier_roles={"acme": "author"})
    browser = Browser(Client())
    assert arrive(browser, "dora", tamper="state=x").status_code == 400
    assert browser.get("/admin/").status_code == 302


def test_a_tenant_that_asks_for_a_second_factor_asks_here_too(people: People, provider: str) -> None:
    Tenant.objects.update(require_two_factor=True)
    person(provider, "dora", notifier_roles={"acme": "author"})
    assert arrive(Browser(Client()), "dora").url == "/admin/login/setup/"
    user = User.objects.get(oidc_subject__isnull=False)
    assert not second_factor.has_second_factor(user)


def test_a_provider_that_is_away_is_said(people: People, settings: Any) -> None:
    settings.OIDC_ISSUER, settings.OIDC_CLIENT_ID = "http://127.0.0.1:1", "notifier"
    answer = Client().get("/admin/oidc/begin/")
    assert answer.status_code == 502 and "did not work" in answer.content.decode()
