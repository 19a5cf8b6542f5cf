"""Changes of recipients, devices and records in the admin: who may make them, what is stored and audited."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from inbox.models import InboxMessage
from notifier.models import DeadLetter, Delivery, DeliveryEvent, Notification, ProviderAccount
from notifier.vocabulary.status import Status
from tenants.imports import jobs
from tenants.models import (
    AuditLog,
    Category,
    ConsentChange,
    Device,
    Import,
    Member,
    Recipient,
    Suppression,
    User,
)
from tests.admin.conftest import NOW, Site, url
from tests.admin.filled_forms import LogIn, errors, person

pytestmark = pytest.mark.django_db


def test_an_author_adds_a_recipient_and_it_is_recorded(site: Site, log_in: LogIn) -> None:
    answer = log_in(site.people.ben).post(url(Recipient, "add"), person(site, phone="+49 170 1234567", locale="de_AT"))
    assert answer.status_code == 302
    stored = Recipient.objects.get(external_id="new")
    assert (stored.tenant_id, stored.phone, stored.locale) == (site.people.acme.pk, "+491701234567", "de-AT")
    row = AuditLog.objects.get(action="recipient.added")
    assert (row.object_id, row.user_id) == (str(stored.pk), site.people.ben.pk)


WRONG_ATTRIBUTES = ["[1]", '{"a.b": 1}', '{"a": "\\u0000"}', f'{{"a": "{"x" * 17_000}"}}']


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("phone", "12"),
        ("email", "nobody"),
        ("timezone", "Mars/Base"),
        ("locale", "!!"),
        *[("attributes", wrong) for wrong in WRONG_ATTRIBUTES],
    ],
)
def test_a_mistake_is_reported_at_its_field_and_stores_nothing(
    field: str, value: str, site: Site, log_in: LogIn
) -> None:
    answer = log_in(site.people.ben).post(url(Recipient, "add"), person(site, **{field: value}))
    assert list(errors(answer)) == [field]
    assert not Recipient.objects.filter(external_id="new").exists()


def test_a_repeated_external_id_is_a_message_and_no_crash(site: Site, log_in: LogIn) -> None:
    answer = log_in(site.people.ben).post(url(Recipient, "add"), person(site, external_id="zebra-1"))
    assert answer.status_code == 200 and "already exists" in str(errors(answer))


@pytest.mark.parametrize("odd", ["zebra-1\u200b", "\ufeffzebra-1", "\u200ezebra-1\u00a0"])
def test_an_external_id_with_something_invisible_is_no_second_person(odd: str, site: Site, log_in: LogIn) -> None:
    answer = log_in(site.people.ben).post(url(Recipient, "add"), person(site, external_id=odd))
    assert answer.status_code == 200 and "already exists" in str(errors(answer))


def test_a_name_of_two_lines_survives_a_save(site: Site, log_in: LogIn) -> None:
    ana = Recipient.objects.create(tenant=site.people.acme, external_id="two-lines", name="Anna\nMaria")
    page = log_in(site.people.ben).get(url(Recipient, "change", ana.pk))
    assert "textarea" in str(page.context["adminform"].form["name"])
    sent = person(site, name="Anna\r\nMaria\u200b", external_id="two-lines")
    assert log_in(site.people.ben).post(url(Recipient, "change", ana.pk), sent).status_code == 302
    ana.refresh_from_db()
    assert ana.name == "Anna\nMaria"


def test_another_tenants_external_id_is_free(site: Site, log_in: LogIn) -> None:
    assert log_in(site.people.ben).post(url(Recipient, "add"), person(site, external_id="quokka-1")).status_code == 302


def test_a_member_cannot_write_into_another_tenant(site: Site, log_in: LogIn) -> None:
    strange = person(site, tenant=str(site.people.globex.pk))
    assert "tenant" in errors(log_in(site.people.ana).post(url(Recipient, "add"), strange))
    device = {"tenant": str(site.people.acme.pk), "recipient": str(site.globex_rows[Recipient].pk), "platform": "fcm"}
    answer = log_in(site.people.ana).post(url(Device, "add"), {**device, "token": "t" * 30})
    assert "recipient" in errors(answer)


def test_a_token_that_is_added_to_another_recipient_moves(site: Site, log_in: LogIn) -> None:
    device: Device = site.acme_rows[Device]
    emil = Recipient.objects.create(tenant=site.people.acme, external_id="emil")
    asked = {"tenant": str(site.people.acme.pk), "recipient": str(emil.pk), "platform": "fcm", "token": device.token}
    answer = log_in(site.people.ben).post(url(Device, "add"), {**asked, "app": "another"})
    assert answer.status_code == 302
    moved = Device.objects.get(tenant=site.people.acme, token=device.token)
    assert (moved.pk, moved.recipient_id, moved.app) == (device.pk, emil.pk, "another")
    assert ConsentChange.objects.filter(recipient_id=site.acme_rows[Recipient].pk, changed="device").exists()


def test_a_device_of_an_erased_recipient_is_refused(site: Site, log_in: LogIn) -> None:
    gone = Recipient.objects.create(tenant=site.people.acme, external_id="gone", status="erased")
    asked = {"tenant": str(site.people.acme.pk), "recipient": str(gone.pk), "platform": "fcm", "token": "t" * 30}
    assert "recipient" in errors(log_in(site.people.ben).post(url(Device, "add"), asked))
    assert not gone.devices.exists()


def test_a_member_of_two_tenants_links_no_row_across_them(site: Site, log_in: LogIn) -> None:
    Member.objects.create(tenant=site.people.globex, user=site.people.ana, role=Member.Role.OWNER)
    device = {"tenant": str(site.people.acme.pk), "recipient": str(site.globex_rows[Recipient].pk), "platform": "fcm"}
    answer = log_in(site.people.ana).post(url(Device, "add"), {**device, "token": "t" * 30})
    assert errors(answer) == {"recipient": ["This belongs to another tenant."]}


def test_roles_differ_between_tenants_of_one_person(site: Site, log_in: LogIn) -> None:
    Member.objects.create(tenant=site.people.globex, user=site.people.ana, role=Member.Role.VIEWER)
    browser = log_in(site.people.ana)
    assert browser.get(url(Category, "change", site.globex_rows[Category].pk)).status_code == 200
    assert browser.post(url(Category, "change", site.globex_rows[Category].pk), {"name": "x"}).status_code == 403
    chosen = {"action": "delete_selected", "_selected_action": [str(site.globex_rows[Suppression].pk)], "post": "yes"}
    assert browser.post(url(Suppression, "changelist"), chosen).status_code in (200, 302, 403)
    elsewhere = f"{url(Suppression, 'changelist')}?of={site.people.globex.pk}"
    assert browser.post(elsewhere, chosen).status_code in (200, 302, 403)
    assert Suppression.objects.filter(pk=site.globex_rows[Suppression].pk).exists()


def test_lists_mask_addresses(site: Site, log_in: LogIn) -> None:
    browser = log_in(site.people.ana)
    for model, address in ((Recipient, "zebra@example.com"), (Device, site.acme_rows[Device].token)):
        assert address not in browser.get(url(model, "changelist")).content.decode()


def test_an_uploaded_file_is_imported_by_a_worker_and_reported(site: Site, log_in: LogIn) -> None:
    Import.objects.all().delete()
    browser = log_in(site.people.ben)
    file = SimpleUploadedFile("people.csv", "external_id;email\nu1;u1@example.com\nu2;nonsense\n".encode("utf-8-sig"))
    answer = browser.post(url(Import, "add"), {"tenant": str(site.people.acme.pk), "file": file})
    job = Import.objects.get()
    assert answer.status_code == 302 and str(job.pk) in answer.url
    assert "waiting" in browser.get(answer.url).content.decode().lower()
    assert jobs.run_waiting() == 1
    html = browser.get(answer.url).content.decode()
    assert "nonsense" in html and "<td>3</td>" in html
    job.refresh_from_db()
    assert (job.state, job.created, job.rejected) == ("done", 1, 1)
    assert Recipient.objects.get(external_id="u1").tenant_id == site.people.acme.pk


def test_a_file_without_the_column_is_refused_on_the_page(site: Site, log_in: LogIn) -> None:
    before = Import.objects.count()
    file = SimpleUploadedFile("people.csv", b"nickname\nx\n")
    answer = log_in(site.people.ben).post(url(Import, "add"), {"tenant": str(site.people.acme.pk), "file": file})
    assert "external_id" in str(errors(answer)["file"])
    assert Import.objects.count() == before


def test_a_dead_letter_is_driven_again_by_an_owner_and_not_by_a_viewer(site: Site, log_in: LogIn, vera: User) -> None:
    letter = site.acme_rows[DeadLetter]
    chosen = {"action": "send_again", "_selected_action": [str(letter.pk), str(site.globex_rows[DeadLetter].pk)]}
    log_in(vera).post(url(DeadLetter, "changelist"), chosen)
    assert Delivery.objects.get(pk=letter.delivery_id).status == Status.FAILED
    asked = log_in(site.people.ana).post(url(DeadLetter, "changelist"), chosen).content.decode()
    assert "Send 1 message again?" in asked and "zebra error" in asked and "quokka" not in asked
    assert Delivery.objects.get(pk=letter.delivery_id).status == Status.FAILED
    log_in(vera).post(url(DeadLetter, "changelist"), {**chosen, "confirmed": "yes"})
    assert Delivery.objects.get(pk=letter.delivery_id).status == Status.FAILED
    log_in(site.people.ana).post(url(DeadLetter, "changelist"), {**chosen, "confirmed": "yes"})
    assert Delivery.objects.get(pk=letter.delivery_id).status == Status.QUEUED
    assert Delivery.objects.get(pk=site.globex_rows[DeadLetter].delivery_id).status == Status.FAILED
    assert AuditLog.objects.filter(action="deadletter.redriven").count() == 1


def test_the_audit_log_has_values_of_plain_fields_and_of_no_other(site: Site, log_in: LogIn) -> None:
    category, browser = site.acme_rows[Category], log_in(site.people.ana)
    values = {"name": "secret words", "kind": "marketing", "over_cap": "drop", "opt_in": "double"}
    assert browser.post(url(Category, "change", category.pk), values).status_code == 302
    entry = AuditLog.objects.get(action="category.changed", object_id=str(category.pk))
    assert entry.detail["changes"] == {"kind": ["transactional", "marketing"], "opt_in": [None, "double"]}
    assert "secret words" not in str(entry.detail)
    listed = browser.get(url(AuditLog, "changelist"), {"q": site.people.ana.username}).content.decode()
    assert "kind: transactional → marketing" in listed
    assert browser.get(url(AuditLog, "changelist"), {"user": str(site.people.ana.pk)}).status_code == 200
    someone = site.acme_rows[Recipient]
    form = {**person(site), "external_id": someone.external_id, "status": "blocked"}
    assert browser.post(url(Recipient, "change", someone.pk), form).status_code == 302
    assert "changes" not in AuditLog.objects.get(action="recipient.changed").detail


def test_the_list_of_accounts_says_how_each_is(site: Site, log_in: LogIn) -> None:
    account = site.acme_rows[ProviderAccount]
    ProviderAccount.objects.filter(pk=account.pk).update(tested_at=NOW, checks=[["login", False, "No."]])
    listed = log_in(site.people.ana).get(url(ProviderAccount, "changelist")).content.decode()
    assert "healthy" in listed and "failed: login" in listed and 'class="p-mark"' in listed


def test_the_ledger_cannot_be_edited(site: Site, log_in: LogIn, olga: User) -> None:
    for user in (site.people.ana, olga):
        for model in (Delivery, DeliveryEvent, Notification, AuditLog, ConsentChange, InboxMessage):
            for page in (url(model, "add"), url(model, "delete", site.acme_rows[model].pk)):
                assert log_in(user).post(page, {}).status_code == 403, page
            assert (
                log_in(user).post(url(model, "change", site.acme_rows[model].pk), {"status": "40"}).status_code == 403
            )
