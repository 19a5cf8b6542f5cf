"""Every page has a Content-Security-Policy, and nothing inline that its policy would block."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import URLPattern, URLResolver, get_resolver, path, reverse

from inbox.http.demo_page import demo_link
from notifier.urls import server_error
from tenants.models import Recipient, User
from tests.admin.conftest import Site, create_rows
from tests.fixtures import People

pytestmark = pytest.mark.django_db

DIRECTIVES = {
    "default-src": "'none'",
    "object-src": "'none'",
    "base-uri": "'none'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
}
_INLINE = re.compile(r"<(script|style)\b([^>]*)>", re.IGNORECASE)
_HANDLER = re.compile(r"<[a-z][^>]*\s(on[a-z]+|style)\s*=", re.IGNORECASE)


def parsed(header: str) -> dict[str, str]:
    return {name: rest for name, _, rest in (part.strip().partition(" ") for part in header.split(";"))}


def faults(answer: Any) -> list[str]:
    """Faults in the policy of an HTML answer, and parts of its page that the policy would block."""
    if not answer.get("Content-Type", "").startswith("text/html"):
        return []
    directives = parsed(answer.get("Content-Security-Policy", ""))
    wrong = [f"{name} {directives.get(name)}" for name, value in DIRECTIVES.items() if directives.get(name) != value]
    wrong += [name for name, rest in directives.items() if "unsafe" in rest or "*" in rest or "http" in rest]
    nonce = re.search(r"'nonce-([\w-]{20,})'", directives.get("script-src", ""))
    for tag, attributes in _INLINE.findall(answer.content.decode()):
        is_data = 'type="application/json"' in attributes
        if "src=" not in attributes and not is_data and not (nonce and f'nonce="{nonce[1]}"' in attributes):
            wrong.append(f"inline {tag}")
    return wrong + [f"attribute {name}" for name in _HANDLER.findall(answer.content.decode())]


@pytest.fixture
def site(people: People) -> Site:
    return Site(people, create_rows(people.acme, "zebra"), {})


def addresses(site: Site) -> Iterator[str]:
    """Every address of the URLconf without an argument, and the admin pages of one row of each model."""
    for pattern, prefix in _patterns(get_resolver().url_patterns, ""):
        route = prefix + str(pattern.pattern)
        if not pattern.pattern.converters and not re.search(r"[(\\]", route):
            yield "/" + route
    for model, row in site.acme_rows.items():
        for page in ("change", "delete", "history"):
            yield reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=[row.pk])


def _patterns(among: Any, prefix: str) -> Iterator[tuple[URLPattern, str]]:
    for one in among:
        if isinstance(one, URLResolver):
            yield from _patterns(one.url_patterns, prefix + str(one.pattern))
        else:
            yield one, prefix


def test_every_page_has_the_policy_and_obeys_it(site: Site) -> None:
    olga = User.objects.create_superuser("olga", "", "a long password")
    client, stranger = Client(raise_request_exception=False), Client(raise_request_exception=False)
    client.force_login(olga)
    wrong, pages = [], 0
    for address in addresses(site):
        for who in (stranger, client):
            answer = who.get(address)
            pages += answer.get("Content-Type", "").startswith("text/html") and answer.status_code == 200
            wrong += [f"{address}: {fault}" for fault in faults(answer)]
        if "logout" in address:
            client.force_login(olga)
    assert wrong == []
    assert pages > 60


@pytest.mark.parametrize(
    "address",
    ["/nothing", "/admin/nothing/", "/admin/tenants/recipient/1/change/", "/inbox/?t=x", "/static/nothing.css"],
)
def test_refusals_have_the_policy(address: str, people: People) -> None:
    client = Client()
    client.force_login(people.ana)
    assert faults(client.get(address)) == []
    assert "Content-Security-Policy" in client.get(address)


def broken(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("for the test")


urlpatterns = [path("broken", broken)]
handler500 = server_error


def test_a_refused_form_and_an_unexpected_error_have_the_policy(people: People) -> None:
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    refused = client.post("/admin/login/", {"username": "ana"})
    assert (refused.status_code, faults(refused)) == (403, [])
    with override_settings(DEBUG=False, ROOT_URLCONF=__name__):
        answer = Client(raise_request_exception=False).get("/broken")
    assert (answer.status_code, faults(answer)) == (500, [])


def test_a_nonce_is_new_for_every_answer_and_made_only_where_it_is_used(people: People) -> None:
    client = Client()
    policies = [client.get("/v1/docs")["Content-Security-Policy"] for _ in range(2)]
    assert all("'nonce-" in policy for policy in policies) and policies[0] != policies[1]
    assert "nonce" not in client.get("/admin/login/")["Content-Security-Policy"]


def test_json_has_no_policy_and_pages_have_the_other_security_headers(people: People) -> None:
    assert "Content-Security-Policy" not in Client().get("/v1/openapi.json")
    answer = Client().get("/admin/login/")
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Referrer-Policy"] == "same-origin"
    assert answer["Cross-Origin-Opener-Policy"] == "same-origin"
    assert answer["X-Frame-Options"] == "DENY"


def test_a_host_cannot_write_into_the_policy() -> None:
    answer = Client().get("/nothing", headers={"host": "evil; script-src *"})
    assert "evil" not in answer["Content-Security-Policy"]


def test_the_inbox_page_keeps_trusted_types(people: People) -> None:
    dora = Recipient.objects.create(tenant=people.acme, external_id="dora")
    link = demo_link(dora)
    answer = Client().get(link[link.index("/inbox/") :])
    assert faults(answer) == []
    assert "require-trusted-types-for 'script'" in answer["Content-Security-Policy"]
