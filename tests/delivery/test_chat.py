"""Chat through the whole engine to the sandbox, by Apprise."""

from __future__ import annotations

import pytest
from pytest_django import Settings

from campaigns.models import Shard
from notifier.channels import channel
from notifier.delivery.content import templates
from notifier.delivery.send import deliver
from notifier.models import Template
from notifier.vocabulary.people import SendRequest
from notifier.vocabulary.status import Lane
from tests.delivery.build import Shop, a_shop
from tests.delivery.scenes import a_campaign, running, send_shards
from tests.sandbox.process import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def shop(sandbox: Sandbox, settings: Settings) -> Shop:
    """A shop whose template is a chat message, and whose provider account is the sandbox."""
    settings.SANDBOX_URL, settings.SANDBOX_CA = sandbox.url, sandbox.ca
    shop = a_shop("marketing")
    templates.publish(Template.objects.get(tenant=shop.tenant), {"chat": {"en": {"text": "Hi {{ recipient.name }}"}}})
    return shop


def test_a_message_arrives_at_the_id_of_the_messenger(shop: Shop, sandbox: Sandbox) -> None:
    shop.recipient("ada", attributes={"chat_id": 4711})
    shop.recipient("bob")
    shop.accept(SendRequest("ada", "order"), SendRequest("bob", "order"))
    deliver("chat", (Lane.BULK,))
    assert sorted(shop.statuses()) == ["sent", "suppressed"]
    [message] = sandbox.report(detail=10)["messages"]
    [sent] = [row for row in shop.deliveries() if not row.reason]
    assert (message["address"], message["title"], message["delivery"]) == ("4711", "Hi ada", str(sent.id))


def test_a_campaign_reaches_everybody_once_within_the_window(shop: Shop, sandbox: Sandbox) -> None:
    names = [f"r{n:02}" for n in range(2 * channel("chat").window)]
    for name in names:
        shop.recipient(name, attributes={"chat_id": name})
    campaign = running(a_campaign(shop, channels=["chat"]))
    sandbox.faults(latency_ms=400.0)
    send_shards(campaign)
    assert [shard.sent for shard in Shard.objects.filter(campaign=campaign)] == [len(names)]
    messages = sandbox.report(detail=1_000)["messages"]
    assert sorted(m["address"] for m in messages) == names
    assert sum(m["offset_ms"] < 400.0 for m in messages) <= channel("chat").window
