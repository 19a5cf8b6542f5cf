"""An account of Web Push: its key pair is made when it is added, and an owner rotates it."""

from __future__ import annotations

import pytest

from notifier.delivery.accounts import registry
from notifier.models import ProviderAccount
from notifier.providers.webpush.provider import WebPush
from tenants.models import AuditLog
from tests.admin.conftest import Site, url
from tests.admin.filled_forms import LogIn, errors

pytestmark = pytest.mark.django_db


def provider_of(account: ProviderAccount) -> WebPush:
    provider = registry.provider_for(ProviderAccount.objects.get(pk=account.pk))
    assert isinstance(provider, WebPush)
    return provider


def test_an_owner_adds_an_account_without_a_key_and_rotates_the_one_that_was_made(site: Site, log_in: LogIn) -> None:
    browser = log_in(site.people.ana)
    add = url(ProviderAccount, "add") + "?provider=webpush"
    values = {"tenant": str(site.people.acme.pk), "name": "browsers", "weight": "100", "enabled": "on"}
    assert "config_subject" in errors(browser.post(add, {**values, "config_subject": "push@acme.example"}))
    assert browser.post(add, {**values, "config_subject": "mailto:push@acme.example"}).status_code == 302
    account = ProviderAccount.objects.get(name="browsers")
    first = provider_of(account).current_key
    assert first.text not in browser.get(url(ProviderAccount, "change", account.pk)).content.decode()

    rotation = {"action": "rotate_vapid_key", "_selected_action": [str(account.pk)]}
    log_in(site.people.ben).post(url(ProviderAccount, "changelist"), rotation)
    assert provider_of(account).current_key.key_id == first.key_id, "an author may not"
    browser.post(url(ProviderAccount, "changelist"), rotation)
    rotated = provider_of(account)
    assert rotated.current_key.key_id != first.key_id and first.key_id in rotated.keys
    [entry] = AuditLog.objects.filter(action="provideraccount.key_rotated", object_id=str(account.pk))
    assert first.text not in str(entry.__dict__)
    # saving the form without typing a key keeps both
    typed = {**values, "config_subject": "https://acme.example", "name": "browsers"}
    assert browser.post(url(ProviderAccount, "change", account.pk), typed).status_code == 302
    assert provider_of(account).keys.keys() == rotated.keys.keys()


def test_an_account_without_a_vapid_key_is_left_as_it_is(site: Site, log_in: LogIn) -> None:
    chosen = [str(pk) for pk in ProviderAccount.objects.filter(tenant=site.people.acme).values_list("pk", flat=True)]
    before = list(ProviderAccount.objects.filter(pk__in=chosen).values_list("config", flat=True))
    log_in(site.people.ana).post(
        url(ProviderAccount, "changelist"), {"action": "rotate_vapid_key", "_selected_action": chosen}
    )
    assert list(ProviderAccount.objects.filter(pk__in=chosen).values_list("config", flat=True)) == before
