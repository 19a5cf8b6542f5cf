"""SMS through the whole engine to the sandbox's Twilio."""

from __future__ import annotations

import dataclasses

import pytest
from django.template.loader import render_to_string
from pytest_django import Settings

from campaigns import arming
from campaigns.models import Shard
from campaigns.preflight import preflight
from campaigns.report.results import results
from campaigns.report.results_json import as_json
from notifier.channels import channel
from notifier.delivery import Accepted
from notifier.delivery.content import templates
from notifier.delivery.send import deliver
from notifier.errors import InvalidInput
from notifier.models import ProviderAccount, Template
from notifier.vocabulary.people import SendRequest
from notifier.vocabulary.status import Lane
from tenants.models import Recipient, Suppression, Tenant
from tests.delivery.build import TEXT, Shop, a_shop
from tests.delivery.scenes import a_campaign, running, send_shards
from tests.sandbox.process import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)
LATENCY_MS = 400.0


@pytest.fixture
def shop(sandbox: Sandbox, settings: Settings) -> Shop:
    """A shop whose template is an SMS, and whose provider account is the sandbox."""
    settings.SANDBOX_URL, settings.SANDBOX_CA = sandbox.url, sandbox.ca
    shop = a_shop("marketing")
    # else nothing leaves at night
    Tenant.objects.filter(pk=shop.tenant.pk).update(send_windows="built-in off")
    shop.tenant.refresh_from_db()
    templates.publish(
        Template.objects.get(tenant=shop.tenant), {"sms": {"en": {"text": "Hi {{ recipient.name }}\u202f…"}}}
    )
    return shop


def send(shop: Shop, phone: str) -> str:
    """The status of a new message to this number, and its reason."""
    shop.recipient(phone, phone=phone)
    [accepted] = shop.accept(SendRequest(phone, "order"))
    assert not isinstance(accepted, Exception), accepted
    deliver("sms", (Lane.BULK,))
    row = shop.deliveries()[-1]
    return f"{shop.statuses()[-1]} {row.reason}".strip()


def test_a_message_arrives_with_plain_characters(shop: Shop, sandbox: Sandbox) -> None:
    shop.recipient("ada", phone="+491701234567")
    shop.accept(SendRequest("ada", "order"))
    deliver("sms", (Lane.BULK,))
    assert shop.statuses() == ["sent"]
    [message] = sandbox.report(detail=10)["messages"]
    [row] = shop.deliveries()
    assert (message["address"], message["title"], message["channel"]) == ("+491701234567", "Hi ada ...", "sms")
    assert row.provider_ref.startswith("SM")


@pytest.fixture(params=["twilio", "vonage"])
def provider(request: pytest.FixtureRequest, shop: Shop) -> str:
    """The only provider of the shop's SMS."""
    name: str = request.param
    ProviderAccount.objects.create(
        tenant=shop.tenant, name=f"sandbox {name}", provider=name, channel="sms", sandbox=True
    )
    if name != "twilio":
        ProviderAccount.objects.create(
            tenant=shop.tenant, name="sandbox twilio", provider="twilio", channel="sms", sandbox=True, enabled=False
        )
    return name


@pytest.mark.parametrize(
    ("phone", "outcome", "suppressed"),
    [
        ("+15005550001", "failed dead_address", True),
        ("+15005551209", "failed dead_address", True),
        ("+15005550004", "failed dead_address", True),
        ("+15005550002", "failed rejected", False),
        ("+15005550053", "queued", False),
        ("+15005550020", "queued", False),
        ("+15005550050", "unknown in_doubt", False),
        ("+15005550060", "unknown in_doubt", False),
    ],
)
def test_the_answer_of_a_magic_number_decides(
    provider: str, shop: Shop, phone: str, outcome: str, suppressed: bool
) -> None:
    assert send(shop, phone) == outcome
    assert Suppression.objects.filter(tenant=shop.tenant, channel="sms", address=phone).exists() is suppressed


def test_a_campaign_keeps_within_the_window_of_20_and_reaches_everybody_once(shop: Shop, sandbox: Sandbox) -> None:
    phones = [f"+4917012345{n:02}" for n in range(3 * channel("sms").window)]
    for phone in phones:
        shop.recipient(phone, phone=phone)
    shop.recipient("nobody")
    campaign = running(a_campaign(shop, channels=["sms"]))
    sandbox.faults(latency_ms=LATENCY_MS)
    send_shards(campaign)
    assert [shard.sent for shard in Shard.objects.filter(campaign=campaign)] == [len(phones)]
    messages = sandbox.report(detail=1_000)["messages"]
    assert sorted(m["address"] for m in messages) == phones
    # no answer leaves before LATENCY_MS, so that all of these were in flight at once
    assert sum(m["offset_ms"] < LATENCY_MS for m in messages) <= channel("sms").window


def test_the_caller_is_told_how_many_segments_a_message_takes(shop: Shop) -> None:
    shop.recipient("ada", phone="+491701234567")
    shop.recipient("long", phone="+491701234568", locale="en", attributes={})
    template = Template.objects.get(tenant=shop.tenant)
    templates.publish(template, {"sms": {"en": {"text": "ş" * 70 + "{{ data }}"}}, "in_app": {"en": TEXT}})
    one, two = shop.accept(
        SendRequest("ada", "order", data={"data": "", "order": "1"}),
        SendRequest("ada", "order", data={"data": "x", "order": "1"}),
    )
    assert isinstance(one, Accepted) and isinstance(two, Accepted)
    assert [{d.channel: d.segments for d in each.deliveries} for each in (one, two)] == [
        {"sms": 1, "in_app": 0},
        {"sms": 2, "in_app": 0},
    ]
    [refused] = shop.accept(SendRequest("ada", "order", data={"data": "x" * 400, "order": "1"}))
    assert isinstance(refused, InvalidInput)
    assert (refused.code, refused.field) == ("too_long", "content.sms.en.text")


def test_preflight_and_the_report_count_the_segments_of_a_campaign(shop: Shop) -> None:
    for n, name in enumerate(["a", "b" * 200]):
        shop.recipient(f"r{n}", phone=f"+4917012345{n:02}")
        Recipient.objects.filter(tenant=shop.tenant, external_id=f"r{n}").update(name=name)
    campaign = a_campaign(shop, channels=["sms"])
    arming.request_arm(campaign)
    arming.arm(campaign.pk)
    campaign.refresh_from_db()
    [ready] = preflight.preflight(campaign).ready
    assert (ready.account, ready.messages, ready.segments, ready.cost) == ("sandbox twilio", 2, 3, None)
    assert dataclasses.replace(ready, price_per_segment=0.07).cost == 0.21
    limited = dataclasses.replace(ready, rate=1.0, by_default=True)
    sentence = preflight.arithmetic(limited, 3.0)
    assert sentence.startswith("2 in 3 segments on this Twilio sender at"), sentence
    assert "takes 3.0 s; a toll-free number sends" in sentence
    facts = preflight.preflight(campaign)
    assert preflight.as_json(facts)["segments"] == 3
    priced = dataclasses.replace(facts, ready=[dataclasses.replace(ready, price_per_segment=0.07)])
    shown = render_to_string("admin/campaigns/campaign/_facts.html", {"preflight": priced})
    assert "<b>3</b><span>SMS segments, about 0.21 in all</span>" in shown
    assert as_json(results(campaign))["channels"]["sms"]["segments"] == 3
