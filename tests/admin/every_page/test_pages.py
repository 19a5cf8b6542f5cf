"""Every page of the admin opens for each role that may see it, and shows no row of another tenant."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from campaigns.models import Audience
from notifier.models import Delivery, Notification, ProviderAccount, Template
from notifier.vocabulary.ids import new_id
from tenants import audit
from tenants.admin import admin_site
from tenants.admin.roles import tenant_id_of
from tenants.models import AuditLog, Category, Device, Recipient, Suppression, User
from tests.admin.conftest import Browser, Site, url

pytestmark = pytest.mark.django_db
LogIn = Callable[[User], Browser]


def user_with_role(site: Site, role: str, request: Any) -> User:
    users = {"owner": site.people.ana, "author": site.people.ben}
    found: User = users.get(role) or request.getfixturevalue({"viewer": "vera", "operator": "olga"}[role])
    return found


@pytest.mark.parametrize("role", ["owner", "author", "viewer", "operator"])
def test_every_list_and_add_page_opens_or_is_forbidden(role: str, site: Site, log_in: LogIn, request: Any) -> None:
    browser = log_in(user_with_role(site, role, request))
    for model in admin_site._registry:
        for page in ("changelist", "add"):
            answer = browser.get(url(model, page))
            assert answer.status_code in (200, 403), (model, page, answer.status_code)
            if role == "operator" and page == "changelist":
                assert answer.status_code == 200, model


@pytest.mark.parametrize("role", ["owner", "author", "viewer", "operator"])
def test_every_row_of_ones_own_opens_or_is_forbidden(role: str, site: Site, log_in: LogIn, request: Any) -> None:
    browser = log_in(user_with_role(site, role, request))
    for model, row in site.acme_rows.items():
        answer = browser.get(url(model, "change", row.pk))
        assert answer.status_code in (200, 403), model
        if role in ("owner", "operator"):
            assert answer.status_code == 200, model


def test_a_deliverys_page_tells_its_history(site: Site, log_in: LogIn) -> None:
    page = log_in(site.people.ana).get(url(Delivery, "change", site.acme_rows[Delivery].pk)).content.decode()
    steps = re.findall(r"<p>[-0-9]+ [0-9:.+]+ <strong>(.*?)</strong> (.*?)</p>", page)
    assert steps == [("queued", ""), ("failed", "zebra event")]


def test_no_list_shows_a_row_of_another_tenant(site: Site, log_in: LogIn) -> None:
    browser = log_in(site.people.ana)
    for model in admin_site._registry:
        html = browser.get(url(model, "changelist")).content.decode()
        assert "quokka" not in html and "Globex" not in html, model


def test_no_search_or_filter_finds_a_row_of_another_tenant(site: Site, log_in: LogIn) -> None:
    browser = log_in(site.people.ana)
    strange = site.people.globex.pk
    for model, row in site.globex_rows.items():
        for query in ({"q": "quokka"}, {"q": "quokka-1"}, {"q": str(row.pk)}, {"of": str(strange)}):
            answer = browser.get(url(model, "changelist"), query)
            found = answer.context["cl"].result_list if answer.status_code == 200 else []
            assert [r for r in found if tenant_id_of(r) == strange] == [], (model, query)


def test_no_page_of_another_tenants_row_opens(site: Site, log_in: LogIn) -> None:
    browser = log_in(site.people.ana)
    for model, row in site.globex_rows.items():
        for page in ("change", "delete", "history"):
            answer = browser.get(url(model, page, row.pk))
            assert answer.status_code in (302, 403, 404), (model, page)
            assert "quokka" not in answer.content.decode()
    preview = reverse("admin:notifier_template_preview", args=[site.globex_rows[Template].pk])
    assert browser.get(preview, {"recipient": "quokka-1"}).status_code == 404


def test_a_member_sees_the_rows_of_the_own_tenant(site: Site, log_in: LogIn) -> None:
    browser = log_in(site.people.ana)
    for model, row in site.acme_rows.items():
        assert str(row.pk) in browser.get(url(model, "changelist")).content.decode(), model


def test_no_choice_of_an_add_page_is_another_tenants(site: Site, log_in: LogIn) -> None:
    browser = log_in(site.people.ana)
    for model in admin_site._registry:
        html = browser.get(url(model, "add")).content.decode()
        for strange in ("quokka", "Globex", str(site.people.globex.pk)):
            assert strange not in html, model


def test_autocomplete_finds_no_row_of_another_tenant(site: Site, log_in: LogIn) -> None:
    browser = log_in(site.people.ana)
    asked = {"app_label": "tenants", "model_name": "device", "field_name": "recipient"}
    found = [
        r["text"] for r in browser.get(reverse("admin:autocomplete"), {**asked, "term": "zebra"}).json()["results"]
    ]
    strange = browser.get(reverse("admin:autocomplete"), {**asked, "term": "quokka"}).json()["results"]
    assert (found, strange) == (["zebra-1"], [])


def test_a_stranger_to_the_admin_is_asked_to_log_in(site: Site, log_in: LogIn) -> None:
    for model in admin_site._registry:
        assert Browser(Client()).get(url(model, "changelist")).status_code == 302
    assert Browser(Client()).get(reverse("admin:login")).status_code == 200


def test_a_user_without_a_tenant_sees_no_row(site: Site, log_in: LogIn) -> None:
    no_member = User.objects.create_user("nora", "", "a long password", is_staff=True)
    browser = log_in(no_member)
    assert browser.get(reverse("admin:index")).status_code == 200
    assert {browser.get(url(m, "changelist")).status_code for m in site.acme_rows} == {403}


def test_the_index_groups_pages_by_what_people_do(site: Site, log_in: LogIn) -> None:
    html = log_in(site.people.ben).get(reverse("admin:index")).content.decode()
    for group in ("Campaigns", "Templates", "Audiences", "People", "Delivery", "Settings"):
        assert group in html


@pytest.mark.parametrize("model", [Recipient, Device, Delivery, Notification, Template])
def test_a_list_asks_as_many_questions_for_twenty_rows_as_for_two(model: Any, site: Site, log_in: LogIn) -> None:
    browser = log_in(site.people.ana)
    # the first look of a session is noted
    browser.get(url(model, "changelist"))
    asked = []
    for count in (2, 18):
        multiply(site, model, count)
        with CaptureQueriesContext(connection) as queries:
            browser.get(url(model, "changelist"))
        asked.append(len(queries))
    assert asked[0] == asked[1]


def test_the_audit_log_shows_names_of_members_and_ids_of_others(site: Site, log_in: LogIn, olga: User) -> None:
    tenant = site.people.acme.pk
    by_ben, by_olga = (audit.record(tenant, "x", by=audit.Actor(user)) for user in (site.people.ben, olga))
    browser = log_in(site.people.ana)
    listed = browser.get(url(AuditLog, "changelist")).content.decode()
    assert ">ben<" in listed and f"user {olga.pk}, no member" in listed and "olga" not in listed
    for row, text in ((by_ben, "ben"), (by_olga, "no member")):
        page = browser.get(url(AuditLog, "change", row.pk))
        assert page.status_code == 200
        assert text in page.content.decode()


def test_a_role_that_edits_a_row_may_delete_it_while_unused(site: Site, log_in: LogIn) -> None:
    tenant = site.people.acme
    rows = [
        Recipient.objects.create(tenant=tenant, external_id="unused"),
        Category.objects.create(tenant=tenant, key="unused", name="Unused"),
        Template.objects.create(tenant=tenant, key="unused"),
        Suppression.objects.create(tenant=tenant, channel="push", address="unused"),
        ProviderAccount.objects.create(tenant=tenant, name="unused", provider="fcm"),
        Audience.objects.create(tenant=tenant, name="unused", source="list"),
        site.acme_rows[Device],
    ]
    browser = log_in(site.people.ana)
    for row in rows:
        answer = browser.post(url(type(row), "delete", row.pk), {"post": "yes"})
        assert answer.status_code == 302, type(row)
        assert not type(row)._default_manager.filter(pk=row.pk).exists(), type(row)


def test_the_icon_that_browsers_ask_for_exists() -> None:
    answer = Client().get("/favicon.ico")
    assert answer.status_code == 302
    assert finders.find(answer["Location"].removeprefix("/static/")) is not None


def multiply(site: Site, model: Any, count: int) -> None:
    """More rows like the tenant's one."""
    for _ in range(count):
        row = model.objects.get(pk=site.acme_rows[model].pk)
        row.pk, row._state.adding = new_id(), True
        for name in ("external_id", "token", "key"):
            if hasattr(row, name):
                setattr(row, name, f"zebra-{row.pk}")
        row.save(force_insert=True)
