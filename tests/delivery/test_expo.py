"""Push through the whole engine to the sandbox's Expo."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_django import Settings

from notifier.delivery.accounts import registry
from notifier.delivery.content import templates
from notifier.delivery.send import deliver
from notifier.models import ProviderAccount, Template
from notifier.vocabulary.people import SendRequest
from notifier.vocabulary.status import Lane
from tenants.models import Device
from tests.delivery.build import Shop, a_shop
from tests.delivery.scenes import a_campaign, running, send_shards
from tests.sandbox.process import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)

PARTS = {"title": "News for {{ recipient.name }}", "body": "Look", "data": {"kind": "news"}}


@pytest.fixture
def shop(sandbox: Sandbox, settings: Settings) -> Shop:
    """A shop that sends push through the sandbox's Expo."""
    settings.SANDBOX_URL, settings.SANDBOX_CA = sandbox.url, sandbox.ca
    shop = a_shop("marketing")
    templates.publish(Template.objects.get(tenant=shop.tenant), {"push": {"en": PARTS}})
    add_account(shop)
    return shop


def add_account(shop: Shop, name: str = "Expo") -> ProviderAccount:
    account = ProviderAccount.objects.create(
        tenant=shop.tenant, name=name, provider="expo", channel="push", platform="expo", sandbox=True
    )
    registry.reset()
    return account


def phone(shop: Shop, external_id: str, word: str = "") -> Device:
    token = f"ExponentPushToken[{word or external_id}-{external_id}]"
    recipient = shop.recipient(external_id)
    return Device.objects.create(tenant=shop.tenant, recipient=recipient, platform="expo", token=token)


def send_to_all(shop: Shop, *external_ids: str) -> None:
    shop.accept(*(SendRequest(external_id, "order") for external_id in external_ids))
    deliver("push", (Lane.BULK,))


def states(shop: Shop) -> dict[str, str]:
    """Recipient's word -> status and reason."""
    return {
        row.address.partition("[")[2].partition("-")[0]: f"{status} {row.reason}".strip()
        for row, status in zip(shop.deliveries(), shop.statuses(), strict=True)
    }


def arrived(sandbox: Sandbox) -> list[Any]:
    return list(sandbox.report(detail=1_000)["messages"])


def test_each_message_of_a_request_ends_by_its_own_ticket(shop: Shop, sandbox: Sandbox) -> None:
    words = ["ada", "unregistered", "busy", "credentials"]
    devices = {word: phone(shop, word, word) for word in words}
    send_to_all(shop, *words)
    assert states(shop) == {
        "ada": "sent",
        "unregistered": "failed dead_address",
        "busy": "queued",
        "credentials": "queued",
    }
    assert [message["title"] for message in arrived(sandbox)] == ["News for ada"]
    devices["unregistered"].refresh_from_db()
    devices["busy"].refresh_from_db()
    assert devices["unregistered"].dead_since and not devices["busy"].dead_since
    assert sandbox.report()["services"]["expo"] == {"200": 1}


def test_a_campaign_leaves_a_hundred_messages_a_request(shop: Shop, sandbox: Sandbox) -> None:
    for n in range(250):
        phone(shop, f"r{n:03}")
    send_shards(running(a_campaign(shop, channels=["push"], canary_percent=0)))
    addresses = [message["address"] for message in arrived(sandbox)]
    assert sorted(addresses) == [f"ExponentPushToken[r{n:03}-r{n:03}]" for n in range(250)]
    assert sandbox.report()["services"]["expo"] == {"200": 3}


def test_devices_of_two_projects_are_reached_with_one_account(shop: Shop, sandbox: Sandbox) -> None:
    for name, word in (("ada", ""), ("ben", ""), ("cleo", "other"), ("dan", "other")):
        phone(shop, name, word)
    send_to_all(shop, "ada", "ben", "cleo", "dan")
    assert set(shop.statuses()) == {"sent"}
    assert len(arrived(sandbox)) == 4
    assert sandbox.report()["services"]["expo"] == {"400": 1, "200": 2}


def test_a_project_that_asks_for_an_access_token_makes_the_account_misconfigured(shop: Shop) -> None:
    phone(shop, "ada", "protected")
    send_to_all(shop, "ada")
    [row] = shop.deliveries()
    assert shop.statuses() == ["queued"] and "UNAUTHORIZED" in row.detail
