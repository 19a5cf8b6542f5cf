"""GET /v1/push/webpush-key."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from notifier.delivery.accounts import registry
from notifier.models import ProviderAccount
from notifier.providers.webpush.provider import WebPush
from notifier.providers.webpush.vapid import VapidKey
from notifier.vocabulary.status import Mode
from tenants.models import Tenant
from tests.api.conftest import ApiSite
from tests.fixtures import Answer, Api, api_key

pytestmark = pytest.mark.django_db


def an_account(tenant: Tenant, app: str = "") -> ProviderAccount:
    account = ProviderAccount(tenant=tenant, name=f"browsers {app}", provider="webpush", app=app)
    registry.save_config(account, {"subject": "mailto:push@acme.example"})
    account.save()
    return account


def key_of(account: ProviderAccount) -> VapidKey:
    provider = registry.provider_for(account)
    assert isinstance(provider, WebPush)
    return provider.current_key


def go_live(tenant: Tenant) -> None:
    Tenant.objects.filter(pk=tenant.pk).update(sandbox=False)
    registry.reset()


def read(caller: Api, query: str = "") -> Answer:
    return caller("GET", f"/v1/push/webpush-key{query}")


def test_a_tenant_in_the_sandbox_has_a_key_of_its_own_that_stays(site: ApiSite) -> None:
    first, again, other = read(site.acme), read(site.acme), read(site.globex)
    assert first.status == again.status == other.status == 200
    assert first.body == again.body and set(first.body) == {"public_key", "key_id"}
    assert len(first.body["public_key"]) == 87 and len(first.body["key_id"]) == 8
    assert first.body["public_key"] != other.body["public_key"]


def test_a_live_tenant_needs_an_account_and_the_answer_says_so(site: ApiSite) -> None:
    go_live(site.people.acme)
    missing = read(site.acme)
    assert (missing.status, missing.body["code"]) == (404, "no_push_key")
    assert "Provider accounts" in missing.body["detail"]
    account = an_account(site.people.acme)
    registry.reset()
    key = read(site.acme).body
    assert key["public_key"] == key_of(account).public_key


def test_each_app_has_its_key_and_a_test_key_gets_that_of_the_sandbox(
    site: ApiSite, api: Callable[[str | None], Api]
) -> None:
    go_live(site.people.acme)
    accounts = {app: an_account(site.people.acme, app) for app in ("", "shop")}
    registry.reset()
    for app, account in (("shop", accounts["shop"]), ("blog", accounts[""]), ("", accounts[""])):
        assert read(site.acme, f"?app={app}").body["key_id"] == key_of(account).key_id
    in_sandbox = read(api(api_key(site.people.acme, mode=Mode.TEST))).body["key_id"]
    assert in_sandbox not in {key_of(account).key_id for account in accounts.values()}
