"""Messages in doubt: the provider's server is asked about those that ended so; and a connection that one message ended
is no error of the others."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pytest_django import Settings

from campaigns.report import accounting
from notifier.delivery.accounts import health, recent_answers, registry
from notifier.delivery.accounts.judging import update_health
from notifier.delivery.content import templates
from notifier.delivery.ledger.reports.awaited_receipts import IN_DOUBT
from notifier.delivery.receipts import fetching, reading
from notifier.delivery.send import deliver
from notifier.delivery.sweep import sweep
from notifier.models import AwaitedReceipts, DeadLetter, Delivery, ProviderAccount, Template
from notifier.providers.twilio import Twilio, TwilioConfig
from notifier.vocabulary.http import Response
from notifier.vocabulary.ids import new_id
from notifier.vocabulary.inquiries import Doubt
from notifier.vocabulary.people import SendRequest
from notifier.vocabulary.status import Lane, Status
from notifier.vocabulary.verdicts import InDoubt, Permanent, Sent, Temporary, Verdict
from tenants.models import Tenant
from tests.delivery.build import Shop, a_shop
from tests.delivery.scenes import a_campaign, of_campaign, running, send_shards
from tests.sandbox.process import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)
#: the sandbox takes the message and cuts the connection
HANGS_UP = "+15005550060"


@pytest.fixture
def shop(sandbox: Sandbox, settings: Settings) -> Shop:
    """A shop whose template is an SMS, and whose provider account is the sandbox's Twilio, which calls nobody back."""
    settings.SANDBOX_URL, settings.SANDBOX_CA = sandbox.url, sandbox.ca
    shop = a_shop("marketing")
    Tenant.objects.filter(pk=shop.tenant.pk).update(send_windows="built-in off")
    shop.tenant.refresh_from_db()
    templates.publish(Template.objects.get(tenant=shop.tenant), {"sms": {"en": {"text": "Code {{ order }}"}}})
    return shop


def order(shop: Shop, text: str = "7") -> Delivery:
    """A message to a phone whose connection is cut, once it was sent."""
    if not shop.deliveries():
        shop.recipient("eve", phone=HANGS_UP)
    shop.accept(SendRequest("eve", "order", data={"order": text}))
    deliver("sms", (Lane.BULK,))
    return shop.deliveries()[-1]


def ask() -> None:
    """What the workers do once the questions are due, and once the answers are there."""
    AwaitedReceipts.objects.update(due_at=datetime.now(UTC) - timedelta(seconds=1))
    fetching.fetch_receipts()
    reading.read_due()


def test_a_message_in_doubt_that_the_provider_knows_is_delivered(shop: Shop) -> None:
    row = order(shop)
    assert (Status(row.status), row.reason) == (Status.UNKNOWN, "in_doubt")
    assert [row.refs for row in AwaitedReceipts.objects.all()] == [[IN_DOUBT]]
    ask()
    row.refresh_from_db()
    assert (Status(row.status), row.reason) == (Status.DELIVERED, "")
    assert not AwaitedReceipts.objects.exists()


def test_of_two_messages_with_the_same_text_none_is_guessed(shop: Shop) -> None:
    first, second = order(shop), order(shop)
    ask()
    for row in (first, second):
        row.refresh_from_db()
        assert Status(row.status) is Status.UNKNOWN
    assert AwaitedReceipts.objects.exists(), "it is asked again"
    third = order(shop, "another")
    ask()
    third.refresh_from_db()
    assert Status(third.status) is Status.DELIVERED


def test_a_message_that_arrived_once_is_told_delivered_once(shop: Shop) -> None:
    """Of two equal messages in doubt the server has one, and an answer has given it to the first of them already."""
    first = order(shop)
    question = AwaitedReceipts.objects.get()
    ask()
    twin = Delivery.objects.get(pk=first.pk)
    assert Status(twin.status) is Status.DELIVERED
    twin.pk, twin.status, twin.reason = new_id(), Status.UNKNOWN, "in_doubt"
    twin.save(force_insert=True)
    question.pk, question.delivery_ids = None, [twin.pk]
    question.save(force_insert=True)
    ask()
    twin.refresh_from_db()
    assert Status(twin.status) is Status.UNKNOWN


def test_nobody_is_asked_for_ever(shop: Shop, sandbox: Sandbox) -> None:
    row = order(shop)
    Delivery.objects.filter(pk=row.pk).update(address="+4915112345678")  # of which the server knows nothing
    ask()
    assert AwaitedReceipts.objects.exists()
    AwaitedReceipts.objects.update(sent_at=datetime.now(UTC) - timedelta(minutes=16))
    ask()
    assert not AwaitedReceipts.objects.exists()
    row.refresh_from_db()
    assert Status(row.status) is Status.UNKNOWN


@pytest.mark.parametrize("too_late", [False, True], ids=["in time", "after its not_after"])
def test_a_message_whose_worker_was_lost_is_asked_about(shop: Shop, settings: Settings, too_late: bool) -> None:
    row = order(shop)
    DeadLetter.objects.all().delete()
    AwaitedReceipts.objects.all().delete()
    settings.LEASE_SECONDS = 0.1
    long_ago = datetime.now(UTC) - timedelta(hours=1)
    rows = Delivery.objects.filter(pk=row.pk)
    rows.update(
        status=Status.SENDING,
        lease_until=long_ago,
        settled_at=None,
        reason="",
        not_after=long_ago if too_late else None,
    )
    sweep()
    row.refresh_from_db()
    assert Status(row.status) is Status.UNKNOWN
    assert DeadLetter.objects.exists() is not too_late, "only what may still be sent again"
    ask()
    row.refresh_from_db()
    assert Status(row.status) is Status.DELIVERED


def test_a_message_whose_text_is_not_kept_is_no_other_message(shop: Shop) -> None:
    """A campaign's message that may never have left is not taken for a message that did."""
    shop.recipient("eve", phone=HANGS_UP)
    templates.publish(Template.objects.get(tenant=shop.tenant), {"sms": {"en": {"text": "An offer"}}})
    campaign = running(a_campaign(shop, channels=["sms"]))
    send_shards(campaign)
    accounting.account(campaign.pk)
    assert of_campaign(campaign) == ["unknown"]
    ask()
    assert of_campaign(campaign) == ["unknown"]


def test_what_another_account_of_the_tenant_sent_is_not_the_message(shop: Shop) -> None:
    first, second = order(shop), order(shop)
    account = ProviderAccount.objects.get(tenant=shop.tenant, channel="sms")
    provider = registry.provider_for(account)
    doubt = Doubt(first.pk, HANGS_UP, LONG_AGO, datetime.now(UTC) + timedelta(minutes=1), {"text": "Code 7"})
    [(_, answer)] = [one for answers in registry.http_client_for(account).exchange([provider.inquiry(doubt)])
                     for one in answers]  # fmt: skip
    assert isinstance(answer, Response)
    ref, _ = (event.provider_ref for event in provider.found(doubt, answer))
    Delivery.objects.filter(pk=second.pk).update(account_id=uuid.uuid4(), provider_ref=ref, status=Status.SENT)
    ask()
    first.refresh_from_db()
    assert Status(first.status) is Status.DELIVERED


def test_an_account_that_cannot_be_asked_ends_no_run_and_is_given_up_in_time(
    shop: Shop, settings: Settings, tmp_path: Path
) -> None:
    order(shop)
    settings.SANDBOX_CA = tmp_path / "missing.pem"  # no client can be made
    ask()
    waiting = AwaitedReceipts.objects.get()
    assert waiting.due_at > datetime.now(UTC), "it was postponed"
    AwaitedReceipts.objects.update(sent_at=datetime.now(UTC) - timedelta(minutes=16))
    ask()
    assert not AwaitedReceipts.objects.exists()


NOW, LONG_AGO = datetime(2026, 11, 29, 12, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC)
_LISTED = (
    b'{"messages": [{"sid": "SM1", "body": "Code 7", "status": "%s", "date_created": "%s", "error_code": %s,'
    b' "direction": "%s"}]}'
)


@pytest.mark.parametrize(
    ("status", "made", "direction", "text", "kind"),
    [
        (b"queued", b"Sun, 29 Nov 2026 11:59:58 +0000", b"outbound-api", "Code 7", "sent"),
        (b"delivered", b"Sun, 29 Nov 2026 11:59:58 +0000", b"outbound-api", None, None),
        (b"undelivered", b"Sun, 29 Nov 2026 11:59:58 +0000", b"outbound-api", "Code 7 ", "failed"),
        (b"delivered", b"Sun, 29 Nov 2026 11:59:58 +0000", b"outbound-api", "Code 8", None),
        (b"delivered", b"Sun, 29 Nov 2026 11:30:00 +0000", b"outbound-api", "Code 7", None),
        (b"received", b"Sun, 29 Nov 2026 11:59:58 +0000", b"inbound", "Code 7", None),
    ],
    ids=["queued", "text not kept", "undelivered", "other text", "earlier", "inbound"],
)
def test_what_twilio_lists_is_the_message_or_it_is_not(
    status: bytes, made: bytes, direction: bytes, text: str | None, kind: str | None
) -> None:
    twilio = Twilio(TwilioConfig(account_sid="AC" + "0" * 32, sender="+14155550100", auth_token="x" * 32))
    parts = {} if text is None else {"text": text}
    doubt = Doubt(uuid.uuid4(), "+4915112345678", NOW - timedelta(minutes=10), NOW, parts)
    assert "To=%2B4915112345678" in twilio.inquiry(doubt).url
    found = twilio.found(doubt, Response(200, {}, _LISTED % (status, made, b"30005", direction)))
    assert [str(event.kind) for event in found] == ([kind] if kind else [])
    assert twilio.found(doubt, Response(503, {}, b"busy")) == []


_LOST, _NOT_TAKEN = InDoubt("connection lost", disconnected=True), Temporary("connection ended", disconnected=True)


@pytest.mark.parametrize(
    ("channel", "provider", "verdicts", "worse"),
    [
        ("push", "fcm", [Sent()] * 40 + [_LOST] * 60, False),
        ("push", "fcm", [_LOST] * 60 + [_NOT_TAKEN] * 40, False),
        ("push", "fcm", [Permanent("no such device", True)] * 5 + [_NOT_TAKEN] * 40, False),
        ("push", "fcm", [Sent()] * 5 + [Temporary("busy")] * 6 + [_LOST] * 60, True),
        ("sms", "twilio", [Sent()] * 2 + [_LOST] * 10, False),
        ("sms", "twilio", [_LOST] * 10, True),
        ("email", "smtp", [_LOST] * 10, True),
    ],
    ids=["push", "only lost", "refused", "mostly busy", "sms", "each text lost", "each email lost"],
)
def test_a_lost_connection_makes_no_account_unhealthy(
    channel: str, provider: str, verdicts: Sequence[Verdict], worse: bool
) -> None:
    account = ProviderAccount(id=uuid.uuid4(), tenant_id=uuid.uuid4(), channel=channel, provider=provider)
    recent_answers.add_verdicts(account.pk, [Sent()])
    recent_answers.add_verdicts(account.pk, verdicts)
    update_health(account, verdicts)
    health.reset()
    assert (health.read_weights([account.pk])[account.pk] < health.FULL) is worse


@pytest.mark.parametrize(
    ("batches", "weight"),
    [
        ([[_LOST] * 9], 100),
        ([[_LOST] * 10], 50),
        ([[_LOST] * 10, [_NOT_TAKEN] * 3], 0),
        ([[_LOST]] * 9, 100),
        ([[_LOST]] * 10, 50),
        ([[_LOST]] * 11, 0),
        ([[Sent()], [_LOST] * 200, [Sent()], [_LOST] * 200], 100),
    ],
    ids=["few", "a batch", "two batches", "few singles", "singles", "more singles", "others are answered"],
)
def test_an_account_that_ends_every_connection_opens_its_circuit(
    batches: Sequence[Sequence[Verdict]], weight: int
) -> None:
    recent_answers.recent.clear()
    account = ProviderAccount(id=uuid.uuid4(), tenant_id=uuid.uuid4(), channel="push", provider="fcm")
    for verdicts in batches:
        recent_answers.add_verdicts(account.pk, verdicts)
        update_health(account, verdicts)
    health.reset()
    assert health.read_weights([account.pk])[account.pk] == weight
