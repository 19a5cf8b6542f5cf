"""The page of a tenant: what its owner sets, and what only operators switch."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import ProgrammingError, connection, transaction

from tenants.access import scope
from tenants.models import (
    AuditLog,
    Tenant,
    User,
)
from tests.admin.conftest import Site, url
from tests.admin.filled_forms import LogIn, errors

pytestmark = pytest.mark.django_db


def test_an_owner_lists_the_schemes_of_the_tenants_apps(site: Site, log_in: LogIn) -> None:
    acme = site.people.acme
    browser = log_in(site.people.ana)
    values = {
        "name": acme.name,
        "default_locale": "en",
        "timezone": "UTC",
        "sms_segments": "6",
        "tracking": "off",
        "opt_in": "off",
        "sandbox": "on",
    }
    answer = browser.post(url(type(acme), "change", acme.pk), {**values, "link_schemes": "Acme://, acme-beta"})
    assert answer.status_code == 302
    acme.refresh_from_db()
    assert acme.link_schemes == ["acme", "acme-beta"]
    refused = browser.post(url(type(acme), "change", acme.pk), {**values, "link_schemes": "javascript"})
    assert "never allowed" in str(errors(refused)["link_schemes"])


def test_an_owner_writes_send_windows_and_a_wrong_line_is_named(site: Site, log_in: LogIn) -> None:
    acme = site.people.acme
    browser, page = log_in(site.people.ana), url(type(acme), "change", acme.pk)
    assert browser.post(page, settings_form(acme, send_windows=" sms US off\n\npush * 09:00-21:00 ")).status_code == 302
    acme.refresh_from_db()
    assert acme.send_windows == "sms US off\npush * 09:00-21:00"
    for wrong, message in (("sms US later", "Line 1"), ("pigeon * off\npigeon US 09:00-10:00", "Unknown channel")):
        refused = browser.post(page, settings_form(acme, send_windows=wrong))
        assert message in str(errors(refused)["send_windows"])


SWITCHES = ["sandbox", "active"]


def settings_form(tenant: Tenant, **values: str) -> dict[str, str]:
    """What a browser sends of a tenant's page: of a box that is not ticked, nothing."""
    ticked = {name: "on" for name in SWITCHES if getattr(tenant, name)}
    texts = {"default_locale": "en", "timezone": "UTC", "link_schemes": "", "sms_segments": "6", "tracking": "off"}
    texts["opt_in"] = "off"
    return {"name": tenant.name, **texts, **ticked, **values}


@pytest.mark.parametrize("who", ["ana", "ben", "vera"])
def test_no_member_switches_a_tenant_live_or_off(who: str, site: Site, log_in: LogIn, vera: User) -> None:
    acme, user = site.people.acme, vera if who == "vera" else getattr(site.people, who)
    page = url(Tenant, "change", acme.pk)
    for name in (*SWITCHES, "slug"):
        asked = settings_form(acme, name="ACME 2", slug="other")
        asked.pop(name, None)
        log_in(user).post(page, asked)
    acme.refresh_from_db()
    assert (acme.sandbox, acme.active, acme.slug) == (True, True, "acme")
    assert acme.name == ("ACME 2" if who == "ana" else "ACME")
    assert not AuditLog.objects.filter(action__in=["tenant.went_live", "tenant.deactivated"]).exists()
    shown = log_in(site.people.ana).get(page).content.decode()
    assert "Only an operator switches it off." in shown and 'name="sandbox"' not in shown


def test_an_operator_switches_sandbox_and_active_and_the_audit_log_says_so(
    site: Site, log_in: LogIn, olga: User
) -> None:
    acme, browser = site.people.acme, log_in(olga)
    page = url(Tenant, "change", acme.pk)
    for name, action in [("sandbox", "tenant.went_live"), ("active", "tenant.deactivated")]:
        acme.refresh_from_db()
        asked = settings_form(acme)
        del asked[name]
        assert browser.post(page, asked).status_code == 302
        row = AuditLog.objects.get(action=action)
        assert (row.tenant_id, row.user_id) == (acme.pk, olga.pk)
    acme.refresh_from_db()
    assert (acme.sandbox, acme.active) == (False, False)
    assert browser.post(page, settings_form(acme, sandbox="on")).status_code == 302
    assert AuditLog.objects.filter(action="tenant.back_to_sandbox").count() == 1


@pytest.mark.parametrize("change", ["sandbox = false", "active = false", "slug = 'other'"])
def test_the_database_keeps_a_members_request_from_switching_it(change: str, site: Site, as_web: Any) -> None:
    with scope(site.people.acme.pk), as_web():
        with pytest.raises(ProgrammingError, match="Only an operator"), transaction.atomic():
            connection.cursor().execute(f"UPDATE tenants_tenant SET {change}")


def test_an_owner_writes_the_texts_of_the_preferences_page(site: Site, log_in: LogIn) -> None:
    acme = site.people.acme
    browser, page = log_in(site.people.ana), url(Tenant, "change", acme.pk)
    own = {"page_title_en": "Your choices", "page_footer_de": "Acme GmbH\nWien", "page_intro_es": ""}
    assert browser.post(page, settings_form(acme, **own)).status_code == 302
    acme.refresh_from_db()
    assert acme.page_texts == {"en": {"title": "Your choices"}, "de": {"footer": "Acme GmbH\nWien"}}
    assert "Your choices" in browser.get(page).content.decode()
    refused = browser.post(page, settings_form(acme, page_title_en="x" * 201))
    assert "page_title_en" in errors(refused)
    assert browser.post(page, settings_form(acme)).status_code == 302
    acme.refresh_from_db()
    assert acme.page_texts == {}
