"""What receipts mean for addresses: suppressions with their causes, opt-outs, and what lifts them."""

from __future__ import annotations

import io
import random
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from notifier.delivery.planning.recipients import load_by_external_ids
from notifier.delivery.receipts.reading import read_receipts
from notifier.models import Delivery, ProviderAccount
from notifier.vocabulary.ids import id_floor
from notifier.vocabulary.status import Status
from tenants.imports import import_recipients
from tenants.models import Category, ConsentChange, Device, Preference, Recipient, Suppression
from tests.fixtures import People
from tests.receipts.deliveries import NOW, a_delivery, status_of
from tests.receipts.reporter import an_account, report

pytestmark = pytest.mark.django_db
PHONE = "+491701234567"


@pytest.fixture
def account(people: People) -> ProviderAccount:
    return an_account(people.acme)


def tell(account: ProviderAccount, *events: dict[str, Any]) -> None:
    assert report(account, *events) == 200
    read_receipts()


def causes(account: ProviderAccount) -> dict[str, str]:
    """Address -> cause, of the account's tenant and channel."""
    return dict(
        Suppression.objects.filter(tenant=account.tenant, channel=account.channel).values_list("address", "cause")
    )


@pytest.mark.parametrize(
    ("event", "cause"),
    [
        ({"kind": "bounced", "permanent": True}, "bounce"),
        ({"kind": "failed", "permanent": True}, "dead"),
        ({"kind": "complained"}, "complaint"),
        ({"kind": "unsubscribed"}, "unsubscribe"),
        ({"kind": "bounced"}, None),
        ({"kind": "failed"}, None),
        ({"kind": "deferred"}, None),
        ({"kind": "clicked"}, None),
        ({"kind": "complained", "machine": True}, "complaint"),
    ],
)
def test_an_event_of_a_message_suppresses_its_address_with_a_cause(
    account: ProviderAccount, event: dict[str, Any], cause: str | None
) -> None:
    delivery = a_delivery(account)
    # the address that the event names does not count: the ledger knows where the message went
    for _ in range(2):
        tell(account, {**event, "delivery_id": str(delivery.pk), "address": "other@mail.example"})
    assert causes(account) == ({delivery.address: cause} if cause else {})
    assert ConsentChange.objects.filter(changed="suppression").count() == (1 if cause else 0)


def test_an_unsubscribe_from_marketing_leaves_the_password_reset_alone(account: ProviderAccount) -> None:
    Category.objects.create(tenant=account.tenant, key="news", name="News", kind="marketing")
    ann = Recipient.objects.create(tenant=account.tenant, external_id="ann", email="ann@mail.example")
    delivery = a_delivery(account, recipient_id=ann.pk, category="news", address=ann.email)
    tell(account, {"kind": "unsubscribed", "delivery_id": str(delivery.pk)})
    assert causes(account) == {}
    assert Preference.objects.get(recipient=ann).categories_off == ["news:email"]
    assert status_of(delivery) == "delivered"


def test_a_dead_device_is_marked_and_not_suppressed(people: People) -> None:
    account = an_account(people.acme, provider="fcm", channel="push", platform="fcm")
    ann = Recipient.objects.create(tenant=people.acme, external_id="ann")
    device = Device.objects.create(tenant=people.acme, recipient=ann, token="t" * 40)
    Device.objects.update(last_seen_at=NOW - timedelta(hours=1))
    delivery = a_delivery(account, recipient_id=ann.pk, device_id=device.pk, address=device.token, platform="fcm")
    tell(account, {"kind": "failed", "permanent": True, "delivery_id": str(delivery.pk)})
    device.refresh_from_db()
    assert device.dead_since is not None and causes(account) == {}


def soft_bounce(account: ProviderAccount, ann: Recipient, age: timedelta = timedelta()) -> Delivery:
    sent = datetime.now(UTC) - age
    unique = random.getrandbits(60)
    pk = id_floor(int(sent.timestamp() * 1000)).int | unique

    delivery = a_delivery(account, id=uuid.UUID(int=pk), recipient_id=ann.pk, address=ann.email, settled_at=sent)
    for _ in range(2):
        tell(account, {"kind": "bounced", "delivery_id": str(delivery.pk)})
    return delivery


def test_the_fifth_soft_bounce_within_ten_days_suppresses_the_address(account: ProviderAccount) -> None:
    ann = Recipient.objects.create(tenant=account.tenant, external_id="ann", email="ann@mail.example")
    soft_bounce(account, ann, timedelta(days=11))
    for _ in range(4):
        soft_bounce(account, ann)
    assert causes(account) == {}
    soft_bounce(account, ann, timedelta(days=9))
    assert causes(account) == {"ann@mail.example": "bounce"}


def test_a_complaint_holds_for_every_spelling_of_the_address(account: ProviderAccount) -> None:
    tell(account, {"kind": "complained", "address": "Ana@Example.com"})
    import_recipients(account.tenant_id, io.BytesIO(b"external_id,email\nana,ANA@example.com\n"))
    ana = load_by_external_ids(account.tenant_id, ["ana"])["ana"]
    assert (ana.email, set(ana.suppressed)) == ("ana@example.com", {("email", "ana@example.com")})


def test_stop_suppresses_and_start_lifts_only_what_the_recipient_asked_for(people: People) -> None:
    sms, mail = an_account(people.acme, channel="sms"), an_account(people.acme)
    tell(sms, {"kind": "stop", "address": PHONE})
    assert (causes(sms), causes(mail)) == ({PHONE: "unsubscribe"}, {})
    tell(sms, {"kind": "help", "address": PHONE})
    tell(an_account(people.globex, channel="sms"), {"kind": "start", "address": PHONE})
    assert causes(sms) == {PHONE: "unsubscribe"}
    tell(sms, {"kind": "start", "address": PHONE})
    assert causes(sms) == {}
    # the recipient may stop again, after having lifted it
    tell(sms, {"kind": "stop", "address": PHONE})
    assert causes(sms) == {PHONE: "unsubscribe"}
    Suppression.objects.update(cause="complaint")
    tell(sms, {"kind": "start", "address": PHONE})
    assert causes(sms) == {PHONE: "complaint"}
    assert ConsentChange.objects.filter(address=PHONE, channel="sms", changed="suppression").count() >= 3


def test_stop_and_start_of_one_call_count_in_their_order(people: People) -> None:
    sms = an_account(people.acme, channel="sms")
    at = int(datetime.now(UTC).timestamp())
    start, stop = {"kind": "start", "address": PHONE, "at": at - 20}, {"kind": "stop", "address": PHONE, "at": at - 30}
    tell(sms, start, stop)
    assert causes(sms) == {}
    tell(sms, {**stop, "at": at - 5}, {**start, "at": at - 10})
    assert causes(sms) == {PHONE: "unsubscribe"}


def test_older_news_does_not_suppress_an_address_that_was_allowed_again(account: ProviderAccount) -> None:
    delivery = a_delivery(account, settled_at=NOW - timedelta(hours=1))
    suppression = Suppression.objects.create(tenant=account.tenant, channel="email", address=delivery.address)
    suppression.delete()
    tell(account, {"kind": "bounced", "permanent": True, "delivery_id": str(delivery.pk)})
    assert causes(account) == {}


def test_messages_of_different_ends_in_one_call_are_told_apart(account: ProviderAccount) -> None:
    good, bad, failed = a_delivery(account), a_delivery(account), a_delivery(account, Status.FAILED, reason="rejected")
    tell(
        account,
        {"kind": "delivered", "delivery_id": str(good.pk)},
        {"kind": "bounced", "permanent": True, "detail": "5.1.1 no such user", "delivery_id": str(bad.pk)},
        {"kind": "delivered", "delivery_id": str(failed.pk)},
    )
    assert [status_of(d) for d in (good, bad, failed)] == ["delivered", "bounced hard_bounce", "failed rejected"]
    assert bad.detail == "5.1.1 no such user"
    assert causes(account) == {bad.address: "bounce"}
