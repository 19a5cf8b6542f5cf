"""Reading what is stored of a person leaves one entry for each person, login and hour."""

from __future__ import annotations

import pytest
from django.db import connection
from django.urls import reverse

from inbox.models import InboxMessage
from notifier.models import Delivery, Notification
from tenants import audit
from tenants.admin import person_reads
from tenants.export import export
from tenants.models import AuditLog, Device, Preference, Recipient, User
from tests.admin.conftest import Site
from tests.admin.filled_forms import LogIn

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_known() -> None:
    person_reads.reset()


def person_of(site: Site) -> Recipient:
    person = Recipient.objects.filter(tenant=site.people.acme).order_by("pk").first()
    assert person is not None
    return person


def page(row: object) -> str:
    options = row._meta  # type: ignore[attr-defined]
    return reverse(f"admin:{options.app_label}_{options.model_name}_change", args=[row.pk])  # type: ignore[attr-defined]


def entries(**columns: object) -> list[tuple[str, str]]:
    rows = AuditLog.objects.filter(action="recipient.read", **columns).order_by("id")
    return [(row.object_id, row.detail["page"]) for row in rows]


def test_pages_of_a_person_leave_one_entry_for_each_login_and_hour(site: Site, log_in: LogIn, olga: User) -> None:
    person = person_of(site)
    timeline = reverse("admin:tenants_recipient_timeline", args=[person.pk])
    for _ in range(2):
        assert log_in(site.people.ana).get(timeline).status_code == 200
        assert log_in(site.people.ana).get(page(person)).status_code == 200
        person_reads.reset()  # another process
    assert entries() == [(str(person.pk), "timeline")]
    assert log_in(site.people.ben).get(page(person)).status_code == 200
    assert log_in(olga).get(timeline).status_code == 200
    rows = AuditLog.objects.filter(action="recipient.read").order_by("id")
    users = [site.people.ana.pk, site.people.ben.pk, olga.pk]
    assert [row.user_id for row in rows] == users
    assert [row.detail["operator"] for row in rows] == [False, False, True]
    assert {row.tenant_id for row in rows} == {person.tenant_id}


def test_the_next_hour_has_an_entry_of_its_own(site: Site, log_in: LogIn) -> None:
    person = person_of(site)
    with connection.cursor() as cursor:
        # the rows are append-only, and their time is that of the insert
        cursor.execute(
            "INSERT INTO tenants_auditlog (tenant_id, user_id, action, object_id, detail, at) "
            "VALUES (%s, %s, 'recipient.read', %s, '{\"page\": \"timeline\"}', now() - interval '1 hour')",
            [person.tenant_id, site.people.ana.pk, str(person.pk)],
        )
    log_in(site.people.ana).get(page(person))
    assert len(entries()) == 2


@pytest.mark.parametrize("model", [Device, Preference, Delivery, Notification, InboxMessage], ids=lambda m: m.__name__)
def test_pages_of_what_belongs_to_a_person_are_reads(model: type, site: Site, log_in: LogIn) -> None:
    row = model.objects.filter(tenant=site.people.acme).order_by("pk").first()  # type: ignore[attr-defined]
    assert log_in(site.people.ana).get(page(row)).status_code == 200
    assert entries() == [(str(row.recipient_id), model.__name__.lower())]


def test_lists_and_pages_of_no_person_leave_none(site: Site, log_in: LogIn) -> None:
    browser = log_in(site.people.ana)
    for address in (
        reverse("admin:tenants_recipient_changelist"),
        reverse("admin:index"),
        page(site.people.acme),
        reverse("admin:find") + "?q=nobody",
    ):
        assert browser.get(address).status_code == 200
    assert entries() == []


def test_a_person_of_another_tenant_is_not_found_and_leaves_none(site: Site, log_in: LogIn) -> None:
    person = person_of(site)
    assert log_in(site.people.cleo).get(page(person)).status_code != 200
    timeline = reverse("admin:tenants_recipient_timeline", args=[person.pk])
    assert log_in(site.people.cleo).get(timeline).status_code == 404
    assert entries() == []


def test_the_export_of_the_person_has_the_reads_and_names_no_login(site: Site, log_in: LogIn, olga: User) -> None:
    person = person_of(site)
    for user in (site.people.ana, olga):
        log_in(user).get(page(person))
    reads = export(person, None)["read_by_staff"]
    assert [(read["by"], read["page"]) for read in reads] == [("operator", "recipient"), ("member", "recipient")]
    assert "ana" not in str(reads)


def test_the_chain_holds_with_reads(site: Site, log_in: LogIn) -> None:
    log_in(site.people.ana).get(page(person_of(site)))
    audit.chain_batch()
    assert audit.first_broken_row(site.people.acme.pk) is None
    assert not AuditLog.objects.filter(action="recipient.read", chain__isnull=True).exists()
