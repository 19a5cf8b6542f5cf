"""Webhook endpoints in the admin: owners make and change them, and send again after a confirmation."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from django.urls import reverse

from notifier.admin.webhooks.page import NAME
from notifier.models import WebhookEndpoint, WebhookMessage
from notifier.webhooks import endpoints
from tenants.models import AuditLog, User
from tests.admin.conftest import Site, url
from tests.admin.filled_forms import LogIn, errors

pytestmark = pytest.mark.django_db


def form(site: Site, **values: Any) -> dict[str, Any]:
    asked = {"tenant": str(site.people.acme.pk), "url": "https://hooks.example.com/x", "description": "mine"}
    return {**asked, "enabled": "on", "event_types": ["delivery.*"], "own_headers": "X-Token: canary", **values}


def test_an_owner_adds_changes_and_deletes_an_endpoint(site: Site, log_in: LogIn) -> None:
    browser = log_in(site.people.ana)
    assert browser.post(url(WebhookEndpoint, "add"), form(site)).status_code == 302
    endpoint = WebhookEndpoint.objects.get(description="mine")
    assert (endpoint.tenant, endpoint.event_types) == (site.people.acme, ["delivery.*"])
    assert endpoints.headers_of(endpoint) == {"X-Token": "canary"}
    page = browser.get(url(WebhookEndpoint, "change", endpoint.pk)).content.decode()
    assert "canary" not in page
    assert endpoints.secrets_of(endpoint, datetime.now(UTC))[0] in page
    changed = form(site, description="other", own_headers="", event_types=[])
    assert browser.post(url(WebhookEndpoint, "change", endpoint.pk), changed).status_code == 302
    endpoint.refresh_from_db()
    assert (endpoint.description, endpoint.event_types) == ("other", [])
    assert endpoints.headers_of(endpoint) == {"X-Token": "canary"}
    browser.post(url(WebhookEndpoint, "change", endpoint.pk), form(site, own_headers="-"))
    endpoint.refresh_from_db()
    assert endpoints.headers_of(endpoint) == {}
    assert browser.post(url(WebhookEndpoint, "delete", endpoint.pk), {"post": "yes"}).status_code == 302
    assert not WebhookEndpoint.objects.filter(pk=endpoint.pk).exists()
    entries = AuditLog.objects.filter(object_id=str(endpoint.pk)).order_by("id").values_list("action", flat=True)
    acts = ("create", "read_secret", "change", "change", "delete")
    assert list(entries) == [f"webhook_endpoint.{act}" for act in acts]


def test_the_list_shows_an_address_once_and_it_leads_to_the_page(site: Site, log_in: LogIn) -> None:
    browser, address = log_in(site.people.ana), "https://hooks.example.com/x"
    assert browser.post(url(WebhookEndpoint, "add"), form(site, description="")).status_code == 302
    endpoint = WebhookEndpoint.objects.get(url=address)
    html = browser.get(url(WebhookEndpoint, "changelist")).content.decode().partition('id="content-main"')[2]
    assert re.findall(rf'href="([^"]*)"[^>]*>\s*{re.escape(address)}\s*<', html) == [
        url(WebhookEndpoint, "change", endpoint.pk)
    ]
    assert len(re.findall(rf">\s*{re.escape(address)}\s*<", html)) == 1
    assert re.search(r">\s*zebra\s*<", html), "the description of the other endpoint"


def test_who_sees_a_secret_is_recorded_and_one_that_cannot_be_decrypted_breaks_no_page(
    site: Site, log_in: LogIn, vera: User, settings: Any
) -> None:
    endpoint = site.acme_rows[WebhookEndpoint]
    endpoints.store_headers(endpoint, {"X-Token": "canary"})
    endpoint.save()
    page = url(WebhookEndpoint, "change", endpoint.pk)
    reads = AuditLog.objects.filter(action="webhook_endpoint.read_secret")
    assert log_in(vera).get(page).status_code == 200
    assert not reads.exists()
    assert log_in(site.people.ana).get(page).status_code == 200
    assert [entry.user for entry in reads] == [site.people.ana]
    browser = log_in(site.people.ana)
    settings.ENCRYPTION_KEYS = [base64.urlsafe_b64encode(bytes(32)).decode()]
    got = browser.get(page)
    assert got.status_code == 200
    assert "unreadable" in got.content.decode()


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"url": "https://127.1/"}, "url"),
        ({"own_headers": "Host: x"}, "own_headers"),
        ({"own_headers": "x"}, "own_headers"),
    ],
    ids=["url", "header", "no header"],
)
def test_a_wrong_form_names_its_field(site: Site, log_in: LogIn, values: dict[str, Any], field: str) -> None:
    assert field in errors(log_in(site.people.ana).post(url(WebhookEndpoint, "add"), form(site, **values)))


def test_an_eleventh_endpoint_is_refused(site: Site, log_in: LogIn) -> None:
    browser = log_in(site.people.ana)
    for _ in range(10 - WebhookEndpoint.objects.filter(tenant=site.people.acme).count()):
        assert browser.post(url(WebhookEndpoint, "add"), form(site)).status_code == 302
    assert errors(browser.post(url(WebhookEndpoint, "add"), form(site)))


def test_sending_again_asks_first_and_is_for_owners(site: Site, log_in: LogIn, vera: User) -> None:
    endpoint = site.acme_rows[WebhookEndpoint]
    page = reverse(f"admin:{NAME}", args=[endpoint.pk])
    browser = log_in(site.people.ana)
    assert browser.post(page, {"act": "test"}).status_code == 302
    message = WebhookMessage.objects.get(endpoint_id=endpoint.pk)
    assert message.pk.hex in browser.get(page).content.decode()
    asked = browser.post(page, {"act": "replay", "hours": "24"})
    assert asked.status_code == 200
    assert 'name="confirmed"' in asked.content.decode()
    replays = AuditLog.objects.filter(action="webhook_endpoint.replay")
    assert not replays.exists()
    assert browser.post(page, {"act": "replay", "hours": "24", "confirmed": "yes"}).status_code == 302
    assert replays.count() == 1
    assert browser.post(page, {"act": "rotate"}).status_code == 302
    endpoint.refresh_from_db()
    assert endpoint.earlier_until is not None
    for other in (site.people.ben, vera):
        assert log_in(other).post(page, {"act": "test"}).status_code == 403
        assert log_in(other).get(page).status_code == 200
    assert (
        endpoints.secrets_of(endpoint, datetime.now(UTC))[0]
        not in log_in(vera).get(url(WebhookEndpoint, "change", endpoint.pk)).content.decode()
    )
    assert log_in(site.people.cleo).get(page).status_code == 404
