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
def messenger_shop(sandbox: Sandbox, settings: Settings) -> Shop:
    """A shop whose template goes to the messenger, and whose provider account is the sandbox."""
    settings.SANDBOX_URL, settings.SANDBOX_CA = sandbox.url, sandbox.ca
    shop = a_shop("marketing")
    template = Template.objects.get(tenant=shop.tenant)
    templates.publish(template, {"messenger": {"en": {"text": "Hi {{ recipient.name }}"}}})
    return shop


def test_a_message_is_accepted_and_arrives_at_the_fake_service(messenger_shop: Shop, sandbox: Sandbox) -> None:
    messenger_shop.recipient("ada")
    [accepted] = messenger_shop.accept(SendRequest("ada", "order"))
    assert not isinstance(accepted, Exception), accepted
    deliver("messenger", (Lane.BULK,))
    assert messenger_shop.statuses() == ["sent"]
    [message] = sandbox.report(detail=10)["messages"]
    assert (message["address"], message["title"]) == ("ada", "Hi ada")


def test_a_template_without_the_required_part_is_refused(messenger_shop: Shop) -> None:
    with pytest.raises(InvalidInput) as refused:
        templates.publish(Template.objects.get(tenant=messenger_shop.tenant), {"messenger": {"en": {"body": "Hi"}}})
    assert refused.value.field == "content.messenger.en.body"


def test_a_campaign_arrives_and_keeps_within_the_window_of_the_channel(messenger_shop: Shop, sandbox: Sandbox) -> None:
    names = [f"r{n:02}" for n in range(3 * channel("messenger").window)]
    for name in names:
        messenger_shop.recipient(name)
    campaign = running(a_campaign(messenger_shop, channels=["messenger"]))
    sandbox.faults(latency_ms=LATENCY_MS)
    send_shards(campaign)
    assert [shard.sent for shard in Shard.objects.filter(campaign=campaign)] == [len(names)]
    messages = sandbox.report(detail=1_000)["messages"]
    assert sorted(m["address"] for m in messages) == names
    # no answer leaves before LATENCY_MS, so that all of these were in flight at once
    assert sum(m["offset_ms"] < LATENCY_MS for m in messages) <= channel("messenger").window


def test_the_preview_of_a_campaign_shows_the_parts_of_the_channel(messenger_shop: Shop) -> None:
    messenger_shop.recipient("ada")
    campaign = a_campaign(messenger_shop, channels=["messenger"])
    ada = preview.example_recipient(campaign)
    assert ada is not None
    [sample] = preview.samples(campaign, ada)
    assert (sample.headline, sample.texts, sample.notes) == ("", ["Hi ada"], [])
