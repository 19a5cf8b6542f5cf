"""Email through the whole engine to the sandbox's email services, and back: what they report moves the ledger."""

from __future__ import annotations

import json
import time

import pytest
from django.test import Client
from pytest_django import Settings

from notifier.delivery.accounts import receipts_address, registry
from notifier.delivery.content import templates
from notifier.delivery.receipts.reading import read_receipts
from notifier.delivery.send import deliver
from notifier.models import ProviderAccount, Template
from notifier.vocabulary.people import SendRequest
from notifier.vocabulary.status import Lane
from tenants.models import Suppression
from tests.delivery.build import Shop, a_shop
from tests.delivery.scenes import a_campaign, running, send_shards
from tests.sandbox.process import Sandbox
from tests.sandbox.receiver import Receiver

pytestmark = pytest.mark.django_db(transaction=True)

EVENTS = 10  #: of the addresses below, all together
#: word of the address -> status and reason at the end
ENDS = {
    "ann": "delivered",
    "bounce": "bounced hard_bounce",
    "full": "bounced soft_bounce",
    "complaint": "complained",
    "open": "opened",
    "click": "clicked",
}


@pytest.fixture
def shop(sandbox: Sandbox, receiver: Receiver, settings: Settings) -> Shop:
    """A shop that sends email through the sandbox; its receipts address is the receiver's."""
    settings.SANDBOX_URL, settings.SANDBOX_CA = sandbox.url, sandbox.ca
    settings.SITE_URL = receiver.url
    shop = a_shop("marketing")
    parts = {"subject": "News for {{ recipient.name }}", "html": "<p>Hi {{ recipient.name }}</p>{{ unsubscribe_url }}"}
    templates.publish(Template.objects.get(tenant=shop.tenant), {"email": {"en": parts}})
    return shop


def only_account(shop: Shop, provider: str) -> ProviderAccount:
    """The tenant's only account for email."""
    registry.usable_accounts(shop.tenant, "email", "", "test")  # makes the accounts that every tenant has
    ProviderAccount.objects.filter(tenant=shop.tenant, channel="email").update(enabled=False)
    account = ProviderAccount.objects.create(
        tenant=shop.tenant, name=f"sandbox {provider}", provider=provider, channel="email", sandbox=True,
        receipts_secret=receipts_address.new_secret(shop.tenant.pk),
    )  # fmt: skip
    registry.reset()
    return account


def pass_on(receiver: Receiver) -> None:
    """Wait for EVENTS, and make each call at our own site."""
    until = time.monotonic() + 60
    while events_in(receiver) < EVENTS and time.monotonic() < until:
        time.sleep(0.02)
    for call in receiver.received:
        headers = {name: value for name, value in call.headers.items() if name.startswith("x-")}
        answer = Client().post(call.path, call.body, content_type=call.headers["content-type"], headers=headers)
        assert answer.status_code == 200
    read_receipts()


def events_in(receiver: Receiver) -> int:
    """SendGrid reports several events in one call."""
    documents = [json.loads(call.body) for call in list(receiver.received)]
    return sum(len(document) if isinstance(document, list) else 1 for document in documents)


@pytest.mark.parametrize("provider", ["mailgun", "postmark", "sendgrid"])
def test_what_a_service_reports_moves_the_ledger(shop: Shop, receiver: Receiver, provider: str) -> None:
    only_account(shop, provider)
    for word in ENDS:
        shop.recipient(word, email=f"{word}-1@example.org")
    shop.accept(*(SendRequest(word, "order") for word in ENDS))
    deliver("email", (Lane.BULK,))
    assert set(shop.statuses()) == {"sent"}
    pass_on(receiver)
    rows = zip(shop.deliveries(), shop.statuses(), strict=True)
    ends = {row.address.partition("-")[0]: f"{status} {row.reason}".strip() for row, status in rows}
    assert ends == ENDS
    suppressed = Suppression.objects.filter(tenant=shop.tenant, channel="email").values_list("address", flat=True)
    assert set(suppressed) == {"bounce-1@example.org", "complaint-1@example.org"}


def test_a_campaign_leaves_in_batches_and_reaches_everybody_once(shop: Shop, sandbox: Sandbox) -> None:
    only_account(shop, "postmark")
    addresses = [f"ann-{n:03}@example.org" for n in range(150)]
    for address in addresses:
        shop.recipient(address, email=address)
    send_shards(running(a_campaign(shop, channels=["email"])))
    report = sandbox.report(detail=1_000)
    assert sorted(message["address"] for message in report["messages"]) == addresses
    assert {message["title"] for message in report["messages"]} == {f"News for {address}" for address in addresses}
    assert report["received"] <= 3, "150 messages leave in a few requests"
