"""API keys, members and provider accounts: who may add them, and which secrets are shown how often."""

from __future__ import annotations

import json

import pytest
from django.urls import reverse

from notifier.delivery.accounts import connection_test, receipts_address, registry
from notifier.models import ProviderAccount
from notifier.providers import providers
from tenants.models import (
    ApiKey,
    AuditLog,
    Member,
    User,
)
from tests.admin.conftest import Site, url
from tests.admin.filled_forms import LogIn, errors
from tests.campaigns.workers import take_tasks

pytestmark = pytest.mark.django_db
#: a provider that reports
REPORTING = next((name for name, kind in sorted(providers().items()) if kind.reports), "")


def test_an_api_key_is_shown_once_and_works_by_its_digest_only(site: Site, log_in: LogIn) -> None:
    browser = log_in(site.people.ana)
    asked = {"tenant": str(site.people.acme.pk), "name": "shop", "mode": "live", "scopes": ["send"]}
    shown = browser.get(browser.post(url(ApiKey, "add"), asked).url)
    key = shown.context["values"]["key"]
    assert shown.status_code == 200 and key in shown.content.decode()
    stored = ApiKey.objects.get(name="shop")
    for page in (url(ApiKey, "changelist"), url(ApiKey, "change", stored.pk), reverse("admin:index")):
        html = browser.get(page).content.decode()
        assert key not in html and bytes(stored.digest).hex() not in html
    assert (stored.tenant, stored.scopes) == (site.people.acme, ["send"])
    assert AuditLog.objects.filter(action="apikey.added", object_id=str(stored.pk)).count() == 1


def test_revoking_a_key_is_an_action_of_owners(site: Site, log_in: LogIn) -> None:
    chosen = {"action": "revoke", "_selected_action": [str(site.acme_rows[ApiKey].pk)]}
    log_in(site.people.ben).post(url(ApiKey, "changelist"), chosen)
    assert ApiKey.objects.get(pk=site.acme_rows[ApiKey].pk).revoked_at is None
    log_in(site.people.ana).post(url(ApiKey, "changelist"), chosen)
    assert ApiKey.objects.get(pk=site.acme_rows[ApiKey].pk).revoked_at is not None
    assert AuditLog.objects.filter(action="apikey.revoked").count() == 1


def test_an_owner_adds_a_member_whose_password_is_shown_once(site: Site, log_in: LogIn) -> None:
    asked = {"tenant": str(site.people.acme.pk), "username": "dan", "email": "dan@example.com", "role": "viewer"}
    browser = log_in(site.people.ana)
    password = browser.get(browser.post(url(Member, "add"), asked).url).context["values"]["password"]
    user = User.objects.get(username="dan@acme")
    assert user.check_password(password) and user.is_staff and not user.is_superuser
    assert [m.tenant_id for m in Member.objects.filter(user=user)] == [site.people.acme.pk]
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


def test_a_provider_accounts_secret_is_sealed_and_never_comes_back(site: Site, log_in: LogIn) -> None:
    browser = log_in(site.people.ana)
    secret = service_account()
    add = url(ProviderAccount, "add") + "?provider=fcm"
    asked = {"tenant": str(site.people.acme.pk), "name": "firebase", "weight": "100", "enabled": "on"}
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


def test_a_provider_account_with_wrong_settings_is_refused_at_the_field(site: Site, log_in: LogIn) -> None:
    asked = {"tenant": str(site.people.acme.pk), "name": "firebase", "weight": "100", "config_service_account": "{}"}
    answer = log_in(site.people.ana).post(url(ProviderAccount, "add") + "?provider=fcm", asked)
    assert list(errors(answer)) == ["config_service_account"]


def test_an_account_of_devices_names_its_app_and_no_other_account_does(site: Site, log_in: LogIn) -> None:
    browser, add = log_in(site.people.ana), url(ProviderAccount, "add") + "?provider=fcm"
    asked = {
        "tenant": str(site.people.acme.pk), "name": "courier", "weight": "100", "enabled": "on",
        "config_service_account": service_account(),
    }  # fmt: skip
    assert list(errors(browser.post(add, {**asked, "app": "a\tb"}))) == ["app"]
    assert browser.post(add, {**asked, "app": " com.acme.courier "}).status_code == 302
    account = ProviderAccount.objects.get(name="courier")
    assert account.app == "com.acme.courier"
    assert "com.acme.courier" in browser.get(url(ProviderAccount, "changelist")).content.decode()
    assert 'value="com.acme.courier"' in browser.get(url(ProviderAccount, "change", account.pk)).content.decode()
    mail = browser.get(url(ProviderAccount, "add") + "?provider=smtp").context["adminform"].form
    assert "app" not in mail.fields


def test_an_email_service_asks_for_its_own_settings_in_words(site: Site, log_in: LogIn) -> None:
    browser, add = log_in(site.people.ana), url(ProviderAccount, "add") + "?provider=mailgun"
    form = browser.get(add).context["adminform"].form
    labels = {name: field.label for name, field in form.fields.items() if name.startswith("config_")}
    assert labels == {
        "config_from_address": "From address", "config_from_name": "From name", "config_api_key": "API key",
        "config_domain": "Sending domain", "config_region": "Region",
        "config_webhook_signing_key": "HTTP webhook signing key",
    }  # fmt: skip
    settings = {"config_from_address": "a@acme.example", "config_domain": "mg.acme.example", "config_region": "eu"}
    asked = {"tenant": str(site.people.acme.pk), "name": "mailgun", "weight": "100", **settings}
    assert list(errors(browser.post(add, asked))) == ["config_api_key"]
    wrong = browser.post(add, {**asked, "config_api_key": "k3y", "config_domain": "a/b"})
    assert list(errors(wrong)) == ["config_domain"] and "k3y" not in wrong.content.decode()
    assert browser.post(add, {**asked, "config_api_key": " k3y\n"}).status_code == 302
    account = ProviderAccount.objects.get(name="mailgun")
    provider = registry.provider_for(account)
    assert (provider.base, vars(provider.config)["api_key"]) == ("https://api.eu.mailgun.net", "k3y")
    assert "k3y" not in browser.get(url(ProviderAccount, "change", account.pk)).content.decode()


def test_the_help_of_a_setting_is_shown_as_it_is_written(site: Site, log_in: LogIn) -> None:
    page = log_in(site.people.ana).get(url(ProviderAccount, "add") + "?provider=apns").content.decode()
    assert "AuthKey_&lt;key ID&gt;.p8" in page


def test_settings_of_a_mail_server_are_chosen_kept_and_cleared(site: Site, log_in: LogIn) -> None:
    browser, add = log_in(site.people.ana), url(ProviderAccount, "add") + "?provider=smtp"
    settings = {
        "config_host": "smtp.example.com", "config_from_address": "hello@acme.example", "config_from_name": "Acme",
        "config_port": "465", "config_security": "tls", "config_user": "u", "config_connections": "4",
        "config_messages_per_connection": "500", "config_bounce_mailbox": "none", "config_bounce_security": "tls",
        "weight": "100", "name": "mail",
    }  # fmt: skip
    asked = {"tenant": str(site.people.acme.pk), **settings, "config_password": "s3cret"}
    assert browser.post(add, {**asked, "config_security": "ssl"}).status_code == 200
    assert browser.post(add, asked).status_code == 302
    account = ProviderAccount.objects.get(tenant=site.people.acme, name="mail")
    page = url(ProviderAccount, "change", account.pk)
    assert "s3cret" not in browser.get(page).content.decode()
    assert browser.post(page, {**settings, "config_from_name": "", "config_password": ""}).status_code == 302
    account.refresh_from_db()
    kept = registry.settings_of(account)
    assert (kept["password"], kept["security"], kept.get("from_name", "")) == ("s3cret", "tls", "")


def test_sandbox_accounts_are_read_only(site: Site, log_in: LogIn) -> None:
    page = url(ProviderAccount, "change", site.acme_rows[ProviderAccount].pk)
    browser = log_in(site.people.ana)
    assert browser.get(page).status_code == 200
    assert browser.post(page, {"name": "x", "weight": "1"}).status_code == 403


@pytest.mark.skipif(not REPORTING, reason="no provider reports")
def test_the_receipts_address_is_shown_to_owners_and_can_be_renewed(site: Site, log_in: LogIn) -> None:
    account = ProviderAccount(tenant=site.people.acme, name="reporting", provider=REPORTING)
    receipts_address.renew_secret(account)
    account.save()
    first, page = receipts_address.address_of(account), url(ProviderAccount, "change", account.pk)
    owner, author = log_in(site.people.ana), log_in(site.people.ben)
    assert first in owner.get(page).content.decode()
    assert first.rpartition("/")[2] not in author.get(page).content.decode()
    chosen = {"action": "renew_receipts_address", "_selected_action": [str(account.pk)]}
    author.post(url(ProviderAccount, "changelist"), chosen)
    account.refresh_from_db()
    assert receipts_address.address_of(account) == first
    owner.post(url(ProviderAccount, "changelist"), chosen)
    account.refresh_from_db()
    assert receipts_address.address_of(account) != first
    assert receipts_address.address_of(account) in owner.get(page).content.decode()
    assert AuditLog.objects.filter(action="provideraccount.receipts_address_renewed").count() == 1


@pytest.mark.parametrize(("role", "allowed"), [("owner", True), ("author", False)])
def test_a_role_tests_an_account_or_only_reads_the_result(role: str, allowed: bool, site: Site, log_in: LogIn) -> None:
    account = ProviderAccount.objects.filter(tenant=site.people.acme).first()
    assert account is not None
    browser = log_in({"owner": site.people.ana, "author": site.people.ben}[role])
    page = reverse("admin:notifier_provideraccount_test", args=[account.pk])
    assert browser.post(page).status_code == (302 if allowed else 403)
    tasks = [task for task in take_tasks() if task[0] == "notifier.test_account"]
    assert tasks == ([("notifier.test_account", str(account.pk))] if allowed else [])
    waiting = browser.get(page)
    assert waiting.status_code == 200 and ("Refresh" in waiting.headers) is allowed
    connection_test.run_test(account.pk)
    result = browser.get(page)
    assert "Refresh" not in result.headers and "Result of" in result.content.decode()
