"""What people do in the admin: who may, what is stored, what is recorded, and which secrets are shown how often."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from inbox.models import InboxMessage
from notifier.delivery.accounts import registry
from notifier.models import DeadLetter, Delivery, DeliveryEvent, Notification, ProviderAccount, Template
from notifier.vocabulary.status import Status
from tenants.imports import jobs
from tenants.models import (
    ApiKey,
    AuditLog,
    Category,
    ConsentChange,
    Device,
    Import,
    Member,
    Preference,
    Recipient,
    Suppression,
    User,
)
from tests.admin.conftest import Browser, World
from tests.admin.test_pages import url

pytestmark = pytest.mark.django_db
LogIn = Callable[[User], Browser]
NO_INLINES = {
    f"{prefix}-{name}": "0" for prefix in ("devices", "preference") for name in ("TOTAL_FORMS", "INITIAL_FORMS")
}


def person(world: World, **values: Any) -> dict[str, Any]:
    base = {"tenant": str(world.people.acme.pk), "external_id": "new", "status": "active", "attributes": "{}"}
    return {**base, **NO_INLINES, **values}


def errors(answer: Any) -> dict[str, list[str]]:
    found: dict[str, list[str]] = answer.context["adminform"].form.errors
    return found


def test_a_marketer_adds_a_recipient_and_it_is_recorded(world: World, log_in: LogIn) -> None:
    answer = log_in(world.people.ben).post(
        url(Recipient, "add"), person(world, phone="+49 170 1234567", locale="de_AT")
    )
    assert answer.status_code == 302
    stored = Recipient.objects.get(external_id="new")
    assert (stored.tenant_id, stored.phone, stored.locale) == (world.people.acme.pk, "+491701234567", "de-AT")
    row = AuditLog.objects.get(action="recipient.added")
    assert (row.object_id, row.user_id) == (str(stored.pk), world.people.ben.pk)


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
def test_a_mistake_is_told_at_its_field_and_stores_nothing(field: str, value: str, world: World, log_in: LogIn) -> None:
    answer = log_in(world.people.ben).post(url(Recipient, "add"), person(world, **{field: value}))
    assert list(errors(answer)) == [field]
    assert not Recipient.objects.filter(external_id="new").exists()


def test_a_repeated_external_id_is_a_message_and_no_crash(world: World, log_in: LogIn) -> None:
    answer = log_in(world.people.ben).post(url(Recipient, "add"), person(world, external_id="zebra-1"))
    assert answer.status_code == 200 and "already exists" in str(errors(answer))


@pytest.mark.parametrize("odd", ["zebra-1\u200b", "\ufeffzebra-1", "\u200ezebra-1\u00a0"])
def test_an_external_id_with_something_invisible_is_no_second_person(odd: str, world: World, log_in: LogIn) -> None:
    answer = log_in(world.people.ben).post(url(Recipient, "add"), person(world, external_id=odd))
    assert answer.status_code == 200 and "already exists" in str(errors(answer))


def test_a_name_of_two_lines_survives_a_save(world: World, log_in: LogIn) -> None:
    ana = Recipient.objects.create(tenant=world.people.acme, external_id="two-lines", name="Anna\nMaria")
    page = log_in(world.people.ben).get(url(Recipient, "change", ana.pk))
    assert "textarea" in str(page.context["adminform"].form["name"])
    sent = person(world, name="Anna\r\nMaria\u200b", external_id="two-lines")
    assert log_in(world.people.ben).post(url(Recipient, "change", ana.pk), sent).status_code == 302
    ana.refresh_from_db()
    assert ana.name == "Anna\nMaria"


def test_another_tenants_external_id_is_free(world: World, log_in: LogIn) -> None:
    assert (
        log_in(world.people.ben).post(url(Recipient, "add"), person(world, external_id="quokka-1")).status_code == 302
    )


def test_nobody_writes_into_another_tenant(world: World, log_in: LogIn) -> None:
    strange = person(world, tenant=str(world.people.globex.pk))
    assert "tenant" in errors(log_in(world.people.ana).post(url(Recipient, "add"), strange))
    device = {"tenant": str(world.people.acme.pk), "recipient": str(world.other[Recipient].pk), "platform": "fcm"}
    answer = log_in(world.people.ana).post(url(Device, "add"), {**device, "token": "t" * 30})
    assert "recipient" in errors(answer)


def test_a_token_that_is_added_to_somebody_else_moves(world: World, log_in: LogIn) -> None:
    device: Device = world.mine[Device]
    emil = Recipient.objects.create(tenant=world.people.acme, external_id="emil")
    asked = {"tenant": str(world.people.acme.pk), "recipient": str(emil.pk), "platform": "fcm", "token": device.token}
    answer = log_in(world.people.ben).post(url(Device, "add"), {**asked, "app": "another"})
    assert answer.status_code == 302
    moved = Device.objects.get(tenant=world.people.acme, token=device.token)
    assert (moved.pk, moved.recipient_id, moved.app) == (device.pk, emil.pk, "another")
    assert ConsentChange.objects.filter(recipient_id=world.mine[Recipient].pk, changed="device").exists()


def test_a_device_of_somebody_who_was_erased_is_refused(world: World, log_in: LogIn) -> None:
    gone = Recipient.objects.create(tenant=world.people.acme, external_id="gone", status="erased")
    asked = {"tenant": str(world.people.acme.pk), "recipient": str(gone.pk), "platform": "fcm", "token": "t" * 30}
    assert "recipient" in errors(log_in(world.people.ben).post(url(Device, "add"), asked))
    assert not gone.devices.exists()


def test_a_member_of_two_tenants_links_no_row_across_them(world: World, log_in: LogIn) -> None:
    Member.objects.create(tenant=world.people.globex, user=world.people.ana, role=Member.Role.OWNER)
    device = {"tenant": str(world.people.acme.pk), "recipient": str(world.other[Recipient].pk), "platform": "fcm"}
    answer = log_in(world.people.ana).post(url(Device, "add"), {**device, "token": "t" * 30})
    assert errors(answer) == {"recipient": ["This belongs to another tenant."]}


def test_roles_differ_between_tenants_of_one_person(world: World, log_in: LogIn) -> None:
    Member.objects.create(tenant=world.people.globex, user=world.people.ana, role=Member.Role.VIEWER)
    browser = log_in(world.people.ana)
    assert browser.get(url(Category, "change", world.other[Category].pk)).status_code == 200
    assert browser.post(url(Category, "change", world.other[Category].pk), {"name": "x"}).status_code == 403
    chosen = {"action": "delete_selected", "_selected_action": [str(world.other[Suppression].pk)], "post": "yes"}
    assert browser.post(url(Suppression, "changelist"), chosen).status_code in (200, 302, 403)
    elsewhere = f"{url(Suppression, 'changelist')}?of={world.people.globex.pk}"
    assert browser.post(elsewhere, chosen).status_code in (200, 302, 403)
    assert Suppression.objects.filter(pk=world.other[Suppression].pk).exists()


@pytest.mark.parametrize(
    ("role", "model", "allowed"),
    [
        ("owner", ApiKey, True),
        ("marketer", ApiKey, False),
        ("viewer", ApiKey, False),
        ("owner", Member, True),
        ("marketer", Member, False),
        ("owner", ProviderAccount, True),
        ("marketer", ProviderAccount, False),
        ("marketer", Recipient, True),
        ("viewer", Recipient, False),
        ("marketer", Template, True),
        ("viewer", Template, False),
        ("marketer", Import, True),
        ("viewer", Import, False),
        ("marketer", User, False),
    ],
)
def test_roles_decide_who_adds(role: str, model: Any, allowed: bool, world: World, log_in: LogIn, vera: User) -> None:
    user = {"owner": world.people.ana, "marketer": world.people.ben, "viewer": vera}[role]
    assert log_in(user).get(url(model, "add")).status_code == (200 if allowed else 403)


def test_an_api_key_is_shown_once_and_works_by_its_digest_only(world: World, log_in: LogIn) -> None:
    browser = log_in(world.people.ana)
    asked = {"tenant": str(world.people.acme.pk), "name": "shop", "mode": "live", "scopes": ["send"]}
    shown = browser.get(browser.post(url(ApiKey, "add"), asked).url)
    key = shown.context["values"]["key"]
    assert shown.status_code == 200 and key in shown.content.decode()
    stored = ApiKey.objects.get(name="shop")
    for page in (url(ApiKey, "changelist"), url(ApiKey, "change", stored.pk), reverse("admin:index")):
        html = browser.get(page).content.decode()
        assert key not in html and bytes(stored.digest).hex() not in html
    assert (stored.tenant, stored.scopes) == (world.people.acme, ["send"])
    assert AuditLog.objects.filter(action="apikey.added", object_id=str(stored.pk)).count() == 1


def test_revoking_a_key_is_an_action_of_owners(world: World, log_in: LogIn) -> None:
    chosen = {"action": "revoke", "_selected_action": [str(world.mine[ApiKey].pk)]}
    log_in(world.people.ben).post(url(ApiKey, "changelist"), chosen)
    assert ApiKey.objects.get(pk=world.mine[ApiKey].pk).revoked_at is None
    log_in(world.people.ana).post(url(ApiKey, "changelist"), chosen)
    assert ApiKey.objects.get(pk=world.mine[ApiKey].pk).revoked_at is not None
    assert AuditLog.objects.filter(action="apikey.revoked").count() == 1


def test_an_owner_adds_a_member_whose_password_is_shown_once(world: World, log_in: LogIn) -> None:
    asked = {"tenant": str(world.people.acme.pk), "username": "dan", "email": "dan@example.com", "role": "viewer"}
    browser = log_in(world.people.ana)
    password = browser.get(browser.post(url(Member, "add"), asked).url).context["values"]["password"]
    user = User.objects.get(username="dan@acme")
    assert user.check_password(password) and user.is_staff and not user.is_superuser
    assert [m.tenant_id for m in Member.objects.filter(user=user)] == [world.people.acme.pk]
    assert "username" in errors(browser.post(url(Member, "add"), asked))


def service_account() -> str:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return json.dumps(
        {
            "type": "service_account",
            "project_id": "acme-1",
            "client_email": "push@acme-1.iam.gserviceaccount.com",
            "private_key": key.private_bytes(*form).decode(),
        }
    )


def test_a_provider_accounts_secret_is_sealed_and_never_comes_back(world: World, log_in: LogIn) -> None:
    browser = log_in(world.people.ana)
    secret = service_account()
    add = url(ProviderAccount, "add") + "?provider=fcm"
    asked = {"tenant": str(world.people.acme.pk), "name": "firebase", "weight": "100", "enabled": "on"}
    refused = browser.post(add, {**asked, "weight": "many", "config_service_account": secret})
    assert "weight" in errors(refused) and "private_key" not in refused.content.decode()
    assert browser.post(add, {**asked, "config_service_account": secret}).status_code == 302
    account = ProviderAccount.objects.get(name="firebase")
    assert (account.provider, account.channel, account.platform) == ("fcm", "push", "fcm")
    assert b"PRIVATE" not in bytes(account.config)
    page = url(ProviderAccount, "change", account.pk)
    assert "acme-1.iam" not in browser.get(page).content.decode()
    kept = browser.post(page, {"name": "firebase 2", "weight": "50", "enabled": "on", "config_service_account": ""})
    assert kept.status_code == 302
    account.refresh_from_db()
    assert account.weight == 50 and registry.settings_of(account)["service_account"].strip() == secret


def test_a_provider_account_with_wrong_settings_is_refused_at_the_field(world: World, log_in: LogIn) -> None:
    asked = {"tenant": str(world.people.acme.pk), "name": "firebase", "weight": "100", "config_service_account": "{}"}
    answer = log_in(world.people.ana).post(url(ProviderAccount, "add") + "?provider=fcm", asked)
    assert list(errors(answer)) == ["config_service_account"]


def test_sandbox_accounts_are_read_only(world: World, log_in: LogIn) -> None:
    page = url(ProviderAccount, "change", world.mine[ProviderAccount].pk)
    browser = log_in(world.people.ana)
    assert browser.get(page).status_code == 200
    assert browser.post(page, {"name": "x", "weight": "1"}).status_code == 403


def template(world: World, content: Any, key: str = "hello") -> dict[str, Any]:
    counts = {"versions-TOTAL_FORMS": "0", "versions-INITIAL_FORMS": "0"}
    return {"tenant": str(world.people.acme.pk), "key": key, "name": "", "content": json.dumps(content), **counts}


def test_saving_a_template_publishes_a_version_and_only_when_the_content_changed(world: World, log_in: LogIn) -> None:
    browser = log_in(world.people.ben)
    content = {"in_app": {"en": {"title": "Hi", "body": "{{ recipient.name }}"}}}
    assert browser.post(url(Template, "add"), template(world, content)).status_code == 302
    made = Template.objects.get(key="hello")
    page = url(Template, "change", made.pk)
    browser.post(page, template(world, content))
    browser.post(page, template(world, {"in_app": {"en": {"title": "Hello", "body": "x"}}}))
    assert [v.number for v in made.versions.all()] == [2, 1]


def test_a_mistake_in_a_template_names_its_place(world: World, log_in: LogIn) -> None:
    broken = {"in_app": {"en": {"title": "{% if %}", "body": "x"}}}
    answer = log_in(world.people.ben).post(url(Template, "add"), template(world, broken))
    assert "content.in_app.en.title" in str(errors(answer)["content"])
    assert not Template.objects.filter(key="hello").exists()


def test_a_preview_shows_what_one_person_would_get(world: World, log_in: LogIn) -> None:
    page = reverse("admin:notifier_template_preview", args=[world.mine[Template].pk])
    html = log_in(world.people.ben).get(page, {"recipient": "zebra-1", "variables": "{}"}).content.decode()
    assert "zebra person" in html
    strange = log_in(world.people.ben).get(page, {"recipient": "quokka-1", "variables": "{}"}).content.decode()
    assert "There is no such recipient." in strange


@pytest.mark.parametrize(
    ("variables", "said"),
    [("[1]", "Must be an object"), ("7", "Must be an object"), ('{"nil": 1}', "use another name")],
)
def test_wrong_variables_of_a_preview_are_told(world: World, log_in: LogIn, variables: str, said: str) -> None:
    page = reverse("admin:notifier_template_preview", args=[world.mine[Template].pk])
    answer = log_in(world.people.ben).get(page, {"recipient": "zebra-1", "variables": variables})
    assert (answer.status_code, said in answer.content.decode()) == (200, True)


def test_preferences_are_edited_on_the_recipients_page(world: World, log_in: LogIn) -> None:
    someone = Recipient.objects.create(tenant=world.people.acme, external_id="p")
    inline = {"preference-TOTAL_FORMS": "1", "preference-INITIAL_FORMS": "0", "preference-0-channels_off": ["push"]}
    answer = log_in(world.people.ben).post(url(Recipient, "change", someone.pk), {**person(world), **inline})
    assert answer.status_code == 302
    stored = Preference.objects.get(recipient=someone)
    assert (stored.tenant_id, stored.channels_off) == (world.people.acme.pk, ["push"])


def test_lists_mask_addresses(world: World, log_in: LogIn) -> None:
    browser = log_in(world.people.ana)
    for model, address in ((Recipient, "zebra@example.com"), (Device, world.mine[Device].token)):
        assert address not in browser.get(url(model, "changelist")).content.decode()


def test_an_uploaded_file_is_imported_by_a_worker_and_reported(world: World, log_in: LogIn) -> None:
    Import.objects.all().delete()
    browser = log_in(world.people.ben)
    file = SimpleUploadedFile("people.csv", "external_id;email\nu1;u1@example.com\nu2;nonsense\n".encode("utf-8-sig"))
    answer = browser.post(url(Import, "add"), {"tenant": str(world.people.acme.pk), "file": file})
    job = Import.objects.get()
    assert answer.status_code == 302 and str(job.pk) in answer.url
    assert "waiting" in browser.get(answer.url).content.decode().lower()
    assert jobs.run_waiting() == 1
    html = browser.get(answer.url).content.decode()
    assert "nonsense" in html and "<td>3</td>" in html
    job.refresh_from_db()
    assert (job.state, job.created, job.rejected) == ("done", 1, 1)
    assert Recipient.objects.get(external_id="u1").tenant_id == world.people.acme.pk


def test_a_file_without_the_column_is_refused_on_the_page(world: World, log_in: LogIn) -> None:
    before = Import.objects.count()
    file = SimpleUploadedFile("people.csv", b"nickname\nx\n")
    answer = log_in(world.people.ben).post(url(Import, "add"), {"tenant": str(world.people.acme.pk), "file": file})
    assert "external_id" in str(errors(answer)["file"])
    assert Import.objects.count() == before


def test_a_dead_letter_is_driven_again_by_a_marketer_and_not_by_a_viewer(
    world: World, log_in: LogIn, vera: User
) -> None:
    letter = world.mine[DeadLetter]
    chosen = {"action": "send_again", "_selected_action": [str(letter.pk), str(world.other[DeadLetter].pk)]}
    log_in(vera).post(url(DeadLetter, "changelist"), chosen)
    assert Delivery.objects.get(pk=letter.delivery_id).status == Status.FAILED
    log_in(world.people.ben).post(url(DeadLetter, "changelist"), chosen)
    assert Delivery.objects.get(pk=letter.delivery_id).status == Status.QUEUED
    assert Delivery.objects.get(pk=world.other[DeadLetter].delivery_id).status == Status.FAILED
    assert AuditLog.objects.filter(action="deadletter.redriven").count() == 1


def test_the_ledger_cannot_be_edited(world: World, log_in: LogIn, olga: User) -> None:
    for user in (world.people.ana, olga):
        for model in (Delivery, DeliveryEvent, Notification, AuditLog, ConsentChange, InboxMessage):
            for page in (url(model, "add"), url(model, "delete", world.mine[model].pk)):
                assert log_in(user).post(page, {}).status_code == 403, page
            assert log_in(user).post(url(model, "change", world.mine[model].pk), {"status": "40"}).status_code == 403
