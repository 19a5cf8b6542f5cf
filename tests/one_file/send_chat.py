"""Run by test_one_file.py in a copy that has the files of the how-to pages: what leaves by the new channel arrives."""

from __future__ import annotations

import pytest
from pytest_django import Settings

from campaigns.models import Shard
from campaigns.preflight import preview
from notifier.channels import channel
from notifier.delivery.content import templates
from notifier.delivery.send import deliver
from notifier.errors import InvalidInput
from notifier.models import Template
from notifier.vocabulary.people import SendRequest
from notifier.vocabulary.status import Lane
from tests.delivery.build import Shop, a_shop
from tests.delivery.scenes import a_campaign, running, send_shards
from tests.sandbox.process import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)
LATENCY_MS = 400.0


@pytest.fixture
def chat_shop(sandbox: Sandbox, settings: Settings) -> Shop:
    """A shop whose template goes to the chat, and whose provider account is the sandbox."""
    settings.SANDBOX_URL, settings.SANDBOX_CA = sandbox.url, sandbox.ca
    shop = a_shop("marketing")
    template = Template.objects.get(tenant=shop.tenant)
    templates.publish(template, {"chat": {"en": {"text": "Hi {{ recipient.name }}"}}})
    return shop


def test_a_message_is_accepted_and_arrives_at_the_fake_service(chat_shop: Shop, sandbox: Sandbox) -> None:
    chat_shop.recipient("ada", email="ada@example.com")
    [accepted] = chat_shop.accept(SendRequest("ada", "order"))
    assert not isinstance(accepted, Exception), accepted
    deliver("chat", (Lane.BULK,))
    assert chat_shop.statuses() == ["sent"]
    [message] = sandbox.report(detail=10)["messages"]
    assert (message["address"], message["title"]) == ("ada@example.com", "Hi ada")


def test_a_template_without_the_required_part_is_refused(chat_shop: Shop) -> None:
    with pytest.raises(InvalidInput) as refused:
        templates.publish(Template.objects.get(tenant=chat_shop.tenant), {"chat": {"en": {"body": "Hi"}}})
    assert refused.value.field == "content.chat.en.body"


def test_a_campaign_arrives_and_keeps_within_the_window_of_the_channel(chat_shop: Shop, sandbox: Sandbox) -> None:
    names = [f"r{n:02}" for n in range(3 * channel("chat").window)]
    for name in names:
        chat_shop.recipient(name, email=f"{name}@example.com")
    campaign = running(a_campaign(chat_shop, channels=["chat"]))
    sandbox.faults(latency_ms=LATENCY_MS)
    send_shards(campaign)
    assert [shard.sent for shard in Shard.objects.filter(campaign=campaign)] == [len(names)]
    messages = sandbox.report(detail=1_000)["messages"]
    assert sorted(m["address"] for m in messages) == [f"{name}@example.com" for name in names]
    # no answer leaves before LATENCY_MS, so that all of these were in flight at once
    assert sum(m["offset_ms"] < LATENCY_MS for m in messages) <= channel("chat").window


def test_the_preview_of_a_campaign_shows_the_parts_of_the_channel(chat_shop: Shop) -> None:
    chat_shop.recipient("ada", email="ada@example.com")
    campaign = a_campaign(chat_shop, channels=["chat"])
    ada = preview.example_recipient(campaign)
    assert ada is not None
    [sample] = preview.samples(campaign, ada)
    assert (sample.headline, sample.texts, sample.notes) == ("", ["Hi ada"], [])
