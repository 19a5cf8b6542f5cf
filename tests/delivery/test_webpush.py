"""Web Push through the whole engine to the sandbox's push service, which decrypts what its browsers receive."""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest
from pytest_django import Settings

from campaigns import arming
from campaigns.lifecycle.launching import launch
from campaigns.models import Shard, ShardPayload
from campaigns.shard.payload import pack, unpack
from notifier.delivery.accounts import registry
from notifier.delivery.content import templates
from notifier.delivery.send import deliver
from notifier.models import Template
from notifier.providers.webpush import services
from notifier.providers.webpush.config import WebPushConfig
from notifier.providers.webpush.encryption import encrypt
from notifier.providers.webpush.provider import WebPush
from notifier.providers.webpush.subscription import check_token, parse_stored
from notifier.vocabulary.people import SendRequest
from notifier.vocabulary.status import Lane, Mode
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


def test_arming_made_what_leaves(shop: Shop, sandbox: Sandbox) -> None:
    """The sender encrypts nothing anew: a body that is put in the place of an armed one arrives."""
    browser = a_browser(shop, sandbox, "ada")
    campaign = running(a_campaign(shop, channels=["push"]))
    armed = ShardPayload.objects.get(shard__campaign=campaign)
    subscribed = parse_stored(browser.token)
    other = encrypt(b'{"title":"armed"}', subscribed.browser_key, subscribed.secret)
    changed = replace(unpack(armed.rows), prepared=[b64encode(other).decode()])
    ShardPayload.objects.filter(pk=armed.pk).update(rows=pack(changed))
    send_shards(campaign)
    assert read_by(sandbox, browser)["title"] == "armed"


@pytest.mark.parametrize(
    ("word", "outcome", "dead"),
    [
        ("unregistered", "failed dead_address", True),
        ("missing", "failed dead_address", True),
        ("mismatch", "failed dead_address", True),
        ("toolarge", "failed rejected", False),
        ("throttled", "queued", False),
        ("unavailable", "queued", False),
    ],
)
def test_the_push_services_answer_decides(shop: Shop, sandbox: Sandbox, word: str, outcome: str, dead: bool) -> None:
    browser = a_browser(shop, sandbox, "ada", word=word)
    shop.accept(SendRequest("ada", "order", data={"order": "7"}))
    deliver("push", (Lane.TRANSACTIONAL,))
    [row] = shop.deliveries()
    assert f"{shop.statuses()[0]} {row.reason}".strip() == outcome
    browser.refresh_from_db()
    assert (browser.dead_since is not None) is dead


def test_after_a_rotation_each_browser_gets_the_key_that_it_subscribed_with(shop: Shop, sandbox: Sandbox) -> None:
    account = registry.choose_account(shop.tenant, "push", "webpush", Mode.LIVE)
    account.provider = "webpush"
    registry.save_config(account, {"subject": "mailto:push@example.com"})
    names = ["early", "late"]
    for name in names:
        provider = WebPush(WebPushConfig.parse(registry.settings_of(account)), sandbox.url)
        registry.override_provider(account.pk, provider)
        key = provider.current_key
        browser = a_browser(shop, sandbox, name, application_server_key=key.public_key)
        Device.objects.filter(pk=browser.pk).update(token=f"{browser.token}.{key.key_id}")
        registry.renew_key(account)
    for name in names:
        shop.accept(SendRequest(name, "order", data={"order": "7"}))
    deliver("push", (Lane.TRANSACTIONAL,))
    assert shop.statuses() == ["sent", "sent"]
    assert sandbox.report()["webpush"]["decrypted"] == 2
