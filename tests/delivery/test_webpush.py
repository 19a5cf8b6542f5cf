"""Web Push through the whole engine to the sandbox's push service, which decrypts what its browsers receive."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
from pytest_django import Settings

from campaigns import arming
from campaigns.lifecycle import launch
from campaigns.models import Shard, ShardPayload
from campaigns.shard.payload import unpack
from notifier.delivery.content import templates
from notifier.delivery.send import deliver
from notifier.models import Template
from notifier.providers.webpush import services
from notifier.providers.webpush.subscription import check_token
from notifier.vocabulary.people import SendRequest
from notifier.vocabulary.status import Lane
from tenants.models import Device
from tenants.people import devices
from tests.delivery.build import Shop, a_shop
from tests.delivery.scenes import a_campaign, of_campaign, running, send_shards
from tests.sandbox.process import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)
PUSH = {
    "title": "Hi {{ recipient.name }}", "body": "Order {{ order }}", "link": "https://shop.example/{{ order }}",
    "webpush": {"icon": "/icon.png"},
}  # fmt: skip


@pytest.fixture
def shop(sandbox: Sandbox, settings: Settings) -> Any:
    """A shop whose template is a push, and whose browsers are those of the sandbox."""
    settings.SANDBOX_URL, settings.SANDBOX_CA = sandbox.url, sandbox.ca
    before = services.allowed()
    services.allow([], sandbox.url)
    shop = a_shop()
    templates.publish(Template.objects.get(tenant=shop.tenant), {"push": {"en": PUSH}})
    yield shop
    services.allow(*before)


def a_browser(shop: Shop, sandbox: Sandbox, name: str, **wish: Any) -> Device:
    """A recipient with a browser whose keys the sandbox has."""
    subscription = json.dumps(sandbox.post("/_webpush/subscriptions", wish))
    device_id, _ = devices.register(shop.recipient(name), "webpush", check_token(subscription))
    return Device.objects.get(pk=device_id)


def read_by(sandbox: Sandbox, browser: Device) -> dict[str, Any]:
    """The newest message that the browser decrypted."""
    endpoint = quote(browser.token.partition("#")[0], safe="")
    content: dict[str, Any] = json.loads(sandbox.get(f"/_webpush/messages?endpoint={endpoint}")[-1]["content"])
    return content


def test_the_browser_reads_a_single_notification(shop: Shop, sandbox: Sandbox) -> None:
    for name, wish in (("ada", {}), ("bob", {"host": "updates.push.services.mozilla.com"})):
        a_browser(shop, sandbox, name, **wish)
        shop.accept(SendRequest(name, "order", data={"order": "7"}))
    deliver("push", (Lane.TRANSACTIONAL,))
    assert shop.statuses() == ["sent", "sent"]
    messages = sandbox.report(detail=10)["messages"]
    assert sorted(message["title"] for message in messages) == ["Hi ada", "Hi bob"]
    assert {message["delivery"] for message in messages} == {str(row.id) for row in shop.deliveries()}


def test_a_campaign_leaves_with_the_bodies_that_arming_made(shop: Shop, sandbox: Sandbox) -> None:
    names = [f"r{n:02}" for n in range(30)]
    for n, name in enumerate(names):
        host = {"host": "updates.push.services.mozilla.com"} if n % 3 == 0 else {}
        a_browser(shop, sandbox, name, **host)
    campaign = a_campaign(shop, channels=["push"])
    arming.request_arm(campaign)
    arming.arm(campaign.pk)
    [armed] = ShardPayload.objects.filter(shard__campaign=campaign)
    prepared = unpack(armed.rows).prepared
    assert len({*prepared}) == 30 and "" not in prepared
    launch.go(campaign.tenant_id, campaign.pk)
    send_shards(campaign)
    assert [shard.sent for shard in Shard.objects.filter(campaign=campaign)] == [30]
    assert of_campaign(campaign) == ["armed"] * 30
    report = sandbox.report(detail=100)
    assert sorted(message["title"] for message in report["messages"]) == [f"Hi {name}" for name in names]
    assert report["webpush"]["decrypted"] == 30


def test_a_number_that_is_counted_when_the_message_leaves_is_encrypted_then(shop: Shop, sandbox: Sandbox) -> None:
    templates.publish(Template.objects.get(tenant=shop.tenant), {"push": {"en": {**PUSH, "badge": "unread"}}})
    browser = a_browser(shop, sandbox, "ada")
    campaign = running(a_campaign(shop, channels=["push"]))
    assert unpack(ShardPayload.objects.get(shard__campaign=campaign).rows).prepared == [""]
    send_shards(campaign)
    assert read_by(sandbox, browser)["badge"] == "0"
