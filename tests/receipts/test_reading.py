"""From a provider's call to the ledger: early, late, repeated, shuffled, foreign, unreadable."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from notifier.channels.queues import RECEIPTS
from notifier.delivery.ledger.history import load_histories
from notifier.delivery.receipts.reading import read_due, read_receipts
from notifier.models import DeadLetter, Delivery, DeliveryEvent, ProviderAccount, Receipt
from notifier.tasks import sweep_once
from notifier.vocabulary.ids import new_id
from notifier.vocabulary.status import Reason, Status
from tests.broker import Broker, broker
from tests.fixtures import People
from tests.receipts.deliveries import NOW, a_delivery, status_of
from tests.receipts.reporter import SIGNATURE, an_account, path_of, report

pytestmark = pytest.mark.django_db
__all__ = ["broker"]


@pytest.fixture
def account(people: People) -> ProviderAccount:
    return an_account(people.acme)


def test_events_move_the_status_and_write_the_history_once(account: ProviderAccount) -> None:
    delivery = a_delivery(account)
    of = {"delivery_id": str(delivery.pk)}
    at = int(NOW.timestamp())
    events = [
        {"kind": "clicked", "url": "https://acme.example/x", "at": at + 9, **of},
        {"kind": "delivered", "at": at + 1, **of},
        {"kind": "opened", "at": at + 5, **of},
        {"kind": "opened", "machine": True, "at": at + 2, **of},
    ]
    for _ in range(2):
        assert report(account, *events) == 200
        read_receipts()
    assert status_of(delivery) == "clicked"
    assert not Receipt.objects.exists()
    steps = load_histories([delivery])[delivery.pk]
    assert [(step.what, step.detail) for step in steps] == [
        ("sent", ""),
        ("delivered", ""),
        ("machine_opened", ""),
        ("opened", ""),
        ("clicked", "https://acme.example/x"),
    ]


def test_an_event_may_name_the_providers_own_reference(account: ProviderAccount, people: People) -> None:
    delivery = a_delivery(account, provider_ref="SM123")
    other = a_delivery(an_account(people.acme), provider_ref="SM123")
    report(account, {"kind": "delivered", "provider_ref": "SM123"})
    read_receipts()
    assert (status_of(delivery), status_of(other)) == ("delivered", "sent")


def test_a_message_in_doubt_is_settled_by_its_receipt(account: ProviderAccount) -> None:
    delivery = a_delivery(account, Status.UNKNOWN, reason=Reason.IN_DOUBT, detail="lost")
    DeadLetter.objects.create(tenant=account.tenant, delivery=delivery, channel="email", attempts=1, last_error="lost")
    report(account, {"kind": "delivered", "delivery_id": str(delivery.pk)})
    read_receipts()
    assert (status_of(delivery), delivery.detail) == ("delivered", "")
    assert not DeadLetter.objects.exists()


def test_a_receipt_that_comes_before_the_answer_waits_for_it(account: ProviderAccount) -> None:
    delivery = a_delivery(account, Status.SENDING, settled_at=None)
    later = new_id()
    report(account, *({"kind": "delivered", "delivery_id": str(id)} for id in (delivery.pk, later)))
    read_receipts()
    assert status_of(delivery) == "sending"
    assert Receipt.objects.get().state == Receipt.State.PARKED
    Delivery.objects.filter(pk=delivery.pk).update(status=Status.SENT, settled_at=NOW)
    unknown = a_delivery(account, id=later)
    make_due()
    read_receipts()
    assert (status_of(delivery), status_of(unknown)) == ("delivered", "delivered")
    assert not Receipt.objects.exists()


def make_due() -> None:
    Receipt.objects.filter(state=Receipt.State.PARKED).update(due_at=NOW)


def test_a_receipt_of_no_delivery_is_dropped_after_a_day(account: ProviderAccount) -> None:
    report(account, {"kind": "delivered", "delivery_id": str(new_id())})
    read_receipts()
    make_due()
    read_receipts()
    assert Receipt.objects.count() == 1
    Receipt.objects.update(received_at=NOW - timedelta(hours=25), due_at=NOW)
    read_receipts()
    assert not Receipt.objects.exists()


def test_a_receipt_touches_no_other_tenant_and_no_other_channel(account: ProviderAccount, people: People) -> None:
    foreign = a_delivery(an_account(people.globex))
    push = a_delivery(account, channel="push", provider_ref="p1")
    ids = [{"kind": "bounced", "permanent": True, "delivery_id": str(d.pk)} for d in (foreign, push)]
    report(account, *ids, {"kind": "bounced", "permanent": True, "provider_ref": "p1"})
    read_receipts()
    assert (status_of(foreign), status_of(push)) == ("sent", "sent")
    assert not DeliveryEvent.objects.exists()


@pytest.mark.parametrize("body", [b"{", b"\xff", b'[{"kind": "nosuch"}]', b'[{"x": 1}]', b"[" * 100_000])
def test_an_unreadable_call_is_kept_for_a_person_and_blocks_nothing(account: ProviderAccount, body: bytes) -> None:
    delivery = a_delivery(account)
    assert Client().post(path_of(account), body, content_type="x/y", headers=SIGNATURE).status_code == 200
    report(account, {"kind": "delivered", "delivery_id": str(delivery.pk)})
    read_receipts()
    assert status_of(delivery) == "delivered"
    row = Receipt.objects.get()
    assert (row.state, bool(row.error)) == (Receipt.State.UNREADABLE, True)
    assert not read_due()


def test_odd_values_of_an_event_are_stored_as_far_as_they_can_be(account: ProviderAccount) -> None:
    delivery = a_delivery(account)
    of = {"delivery_id": str(delivery.pk)}
    report(
        account,
        {"kind": "bounced", "detail": "a\0b" + "x" * 1000, **of},
        {"kind": "delivered", "at": 32_000_000_000, **of},
        {"kind": "opened", "provider_ref": "r" * 5000},
    )
    read_receipts()
    assert status_of(delivery) == "bounced soft_bounce"
    assert delivery.detail.startswith("abx") and len(delivery.detail) == 300
    assert all(event.at <= datetime.now(UTC) for event in DeliveryEvent.objects.all())


def test_a_call_that_ends_its_workers_is_not_read_for_ever(account: ProviderAccount) -> None:
    delivery = a_delivery(account)
    report(account, {"kind": "delivered", "delivery_id": str(delivery.pk)})
    Receipt.objects.update(attempts=5)
    read_receipts()
    assert status_of(delivery) == "sent"
    assert Receipt.objects.get().state == Receipt.State.UNREADABLE


def test_one_tenants_flood_makes_no_other_tenant_wait(account: ProviderAccount, people: People) -> None:
    for _ in range(3):
        report(account, {"kind": "delivered", "delivery_id": str(new_id())})
    other = an_account(people.globex)
    delivery = a_delivery(other)
    report(other, {"kind": "delivered", "delivery_id": str(delivery.pk)})
    assert read_due()
    assert status_of(delivery) == "delivered"


def test_receipts_of_a_deleted_account_are_dropped(account: ProviderAccount) -> None:
    report(account, {"kind": "delivered", "delivery_id": str(new_id())})
    ProviderAccount.objects.all().delete()
    read_receipts()
    assert not Receipt.objects.exists()


def test_what_a_worker_did_not_finish_is_read_again_after_its_lease(account: ProviderAccount) -> None:
    delivery = a_delivery(account)
    report(account, {"kind": "delivered", "delivery_id": str(delivery.pk)})
    Receipt.objects.update(attempts=1, due_at=NOW + timedelta(hours=1))
    read_receipts()
    assert status_of(delivery) == "sent"
    Receipt.objects.update(due_at=NOW)
    read_receipts()
    assert status_of(delivery) == "delivered"


def test_a_stored_call_wakes_a_reader_and_the_sweep_repeats_a_lost_wakeup(
    account: ProviderAccount, broker: Broker
) -> None:
    report(account, {"kind": "delivered", "delivery_id": str(a_delivery(account).pk)})
    sweep_once()
    woken = [(message.task, message.args) for message in broker.published if message.queue == RECEIPTS]
    assert woken == [("notifier.read_receipts", (RECEIPTS,))] * 2
    read_receipts()
    sweep_once()
    assert len([message for message in broker.published if message.queue == RECEIPTS]) == 2
