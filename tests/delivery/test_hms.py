"""Push through the whole engine to the sandbox's Huawei Push Kit."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from pytest_django import Settings

from campaigns.report import accounting
from notifier.delivery.accounts import registry
from notifier.delivery.content import templates
from notifier.delivery.send import deliver
from notifier.models import ProviderAccount, Template
from notifier.vocabulary.people import SendRequest
from notifier.vocabulary.status import Lane
from tenants.models import Device
from tests.delivery.build import Shop, a_shop
from tests.delivery.scenes import a_campaign, all_due, of_campaign, running, send_shards
from tests.sandbox.process import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)

PARTS: dict[str, Any] = {
    "title": "News for {{ recipient.name }}", "body": "Look", "link": "https://shop.test/1", "badge": "3",
    "data": {"kind": "news"}, "android": {"channel_id": "news"},
}  # fmt: skip


@pytest.fixture
def shop(sandbox: Sandbox, settings: Settings) -> Shop:
    """A shop that sends push through the sandbox's Huawei Push Kit."""
    settings.SANDBOX_URL, settings.SANDBOX_CA = sandbox.url, sandbox.ca
    shop = a_shop("marketing")
    templates.publish(Template.objects.get(tenant=shop.tenant), {"push": {"en": PARTS}})
    ProviderAccount.objects.create(
        tenant=shop.tenant, name="Huawei", provider="hms", channel="push", platform="hms", sandbox=True
    )
    registry.reset()
    return shop


def phone(shop: Shop, external_id: str, word: str = "") -> Device:
    token = f"{word or external_id}-0123456789-{external_id}"
    recipient = shop.recipient(external_id)
    return Device.objects.create(tenant=shop.tenant, recipient=recipient, platform="hms", token=token)


def states(shop: Shop) -> dict[str, str]:
    """Recipient's word -> status and reason."""
    return {
        row.address.partition("-")[0]: f"{status} {row.reason}".strip()
        for row, status in zip(shop.deliveries(), shop.statuses(), strict=True)
    }


def test_each_message_ends_by_huawei_s_code(shop: Shop, sandbox: Sandbox) -> None:
    words = ["ada", "unregistered", "illegal", "sensitive", "forbidden", "internal"]
    devices = {word: phone(shop, word, word) for word in words}
    shop.accept(*(SendRequest(word, "order") for word in words))
    deliver("push", (Lane.BULK,))
    assert states(shop) == {
        "ada": "sent",
        "unregistered": "failed dead_address",
        "illegal": "failed dead_address",
        "sensitive": "failed rejected",
        "forbidden": "queued",
        "internal": "queued",
    }
    assert [message["title"] for message in sandbox.report(detail=10)["messages"]] == ["News for ada"]
    dead = {word for word, device in devices.items() if Device.objects.get(pk=device.pk).dead_since}
    assert dead == {"unregistered", "illegal"}


def test_an_access_token_that_is_over_is_fetched_anew(shop: Shop, sandbox: Sandbox) -> None:
    phone(shop, "ada")
    sandbox.faults(token_seconds=0)  # the sandbox takes no token any more
    shop.accept(SendRequest("ada", "order"))
    deliver("push", (Lane.BULK,))
    assert shop.statuses() == ["queued"]
    sandbox.faults(token_seconds=3600)
    all_due()
    deliver("push", (Lane.BULK,))
    assert shop.statuses() == ["sent"]
    assert len(sandbox.report(detail=10)["messages"]) == 1


def test_a_campaign_reaches_everybody_once_and_dead_tokens_are_marked(shop: Shop, sandbox: Sandbox) -> None:
    for n in range(250):
        phone(shop, f"r{n:03}", "unregistered" if n % 100 == 7 else f"r{n:03}")
    campaign = running(a_campaign(shop, channels=["push"]))
    send_shards(campaign)
    report = sandbox.report(detail=1_000)
    arrived = Counter(message["address"] for message in report["messages"])
    assert len(arrived) == 247 and set(arrived.values()) == {1}
    assert report["services"]["hms"] == {"200": 250}
    accounting.account(campaign.pk)
    assert Counter(of_campaign(campaign)) == {"sent": 247, "failed": 3}
    assert Device.objects.exclude(dead_since=None).count() == 3
