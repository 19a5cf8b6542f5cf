"""Stored opens and clicks: what they change in the ledger, and what they never change."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from notifier.delivery.engagement import counts
from notifier.delivery.engagement.apply import apply_due
from notifier.delivery.engagement.hits import Arrived, Hit, store
from notifier.delivery.ledger.history import load_histories
from notifier.models import Delivery, EngagementBatch, ProviderAccount
from notifier.vocabulary.receipts import EventKind
from notifier.vocabulary.status import Status
from tests.fixtures import People
from tests.receipts.deliveries import a_delivery

NOW = datetime.now(UTC)
URL = "https://shop.example/"
pytestmark = pytest.mark.django_db


def an_email(people: People, status: Status = Status.SENT) -> Delivery:
    """An email of ACME that left an hour ago."""
    account, _ = ProviderAccount.objects.get_or_create(tenant=people.acme, name="x", provider="smtp", channel="email")
    return a_delivery(account, status, settled_at=NOW - timedelta(hours=1), accepted_at=NOW - timedelta(hours=2))


def arrive(
    people: People, delivery: Delivery, kind: EventKind, *, ago: timedelta = timedelta(0), **values: object
) -> None:
    hit = Hit(str(kind), (NOW - ago).timestamp(), delivery=delivery.pk.hex, **values)  # type: ignore[arg-type]
    store([Arrived(people.acme.pk, "email", hit)])


def state(delivery: Delivery) -> tuple[str, list[str]]:
    delivery.refresh_from_db()
    steps = load_histories([delivery])[delivery.pk]
    return Status(delivery.status).label, [step.what for step in steps if step.what not in ("queued", "sent")]


def test_statuses_move_forward_only(people: People) -> None:
    delivery = an_email(people)
    arrive(people, delivery, EventKind.CLICKED, url=URL)
    apply_due()
    assert state(delivery)[0] == "clicked"
    for kind in (EventKind.OPENED, EventKind.OPENED, EventKind.CLICKED):
        arrive(people, delivery, kind)
    apply_due()
    status, steps = state(delivery)
    assert status == "clicked" and sorted(set(steps)) == ["clicked", "opened"]
    assert not EngagementBatch.objects.exists()


def test_events_that_cannot_be_applied_stop_no_other_events(people: People) -> None:
    delivery, row = an_email(people), {"received_at": NOW, "due_at": NOW - timedelta(hours=1)}
    for n, events in enumerate([f'[["opened", 1e300, false, "{delivery.pk.hex}"]]', "[7]", '[["x", 1, false, "y"]]']):
        EngagementBatch.objects.create(id=uuid.uuid4(), tenant=people.globex, channel=f"c{n}", events=events, **row)
    arrive(people, delivery, EventKind.CLICKED, url=URL)
    apply_due()
    assert state(delivery)[0] == "clicked"
    assert not EngagementBatch.objects.exists()


def test_an_event_of_the_first_year_is_applied(people: People) -> None:
    delivery = an_email(people)
    store([Arrived(people.acme.pk, "email", Hit("clicked", -62135596800.0, delivery=delivery.pk.hex, url=URL))])
    apply_due()
    assert state(delivery)[0] == "delivered" and not EngagementBatch.objects.exists()


@pytest.mark.parametrize(
    ("kind", "values", "ago"),
    [
        (EventKind.OPENED, {"machine": True}, timedelta(0)),
        (EventKind.CLICKED, {"machine": True}, timedelta(0)),
        (EventKind.OPENED, {}, timedelta(minutes=59, seconds=59)),  # a second after it left
    ],
)
def test_a_machine_proves_only_that_the_message_arrived(
    people: People, kind: EventKind, values: dict[str, bool], ago: timedelta
) -> None:
    delivery = an_email(people)
    arrive(people, delivery, kind, ago=ago, **values)
    apply_due()
    status, steps = state(delivery)
    assert status == "delivered" and f"machine_{kind}" in steps


def test_a_push_that_is_clicked_within_a_second_was_clicked_by_a_person(people: People) -> None:
    account = ProviderAccount.objects.create(tenant=people.acme, name="p", provider="webpush", channel="push")
    left_at = NOW - timedelta(hours=1)
    delivery = a_delivery(account, Status.SENT, settled_at=left_at, accepted_at=left_at)
    clicked = Hit("clicked", left_at.timestamp() + 1, delivery=delivery.pk.hex, url=URL)
    store([Arrived(people.acme.pk, "push", clicked)])
    apply_due()
    assert state(delivery) == ("clicked", ["clicked"])


def test_a_scanner_that_follows_every_link_is_a_machine(people: People) -> None:
    delivery, person = an_email(people), an_email(people)
    for number in range(4):
        arrive(people, delivery, EventKind.CLICKED, ago=timedelta(minutes=59), url=f"{URL}{number}")
    arrive(people, person, EventKind.CLICKED, ago=timedelta(minutes=59), url=URL)
    apply_due()
    assert state(delivery)[0] == "delivered" and state(person)[0] == "clicked"


def test_events_wait_for_a_message_that_is_not_settled(people: People) -> None:
    delivery = an_email(people, Status.ARMED)
    Delivery.objects.filter(pk=delivery.pk).update(settled_at=None)
    arrive(people, delivery, EventKind.OPENED)
    assert (apply_due(), apply_due()) == (1, 0)
    row = EngagementBatch.objects.get()
    assert row.attempts == 1 and row.due_at > NOW
    Delivery.objects.filter(pk=delivery.pk).update(status=Status.SENT, settled_at=NOW - timedelta(minutes=1))
    EngagementBatch.objects.update(due_at=NOW)
    apply_due()
    assert state(delivery)[0] == "opened" and not EngagementBatch.objects.exists()


def test_another_tenants_and_an_unknown_message_stay_as_they_are(people: People) -> None:
    delivery = an_email(people)
    hit = Hit("opened", NOW.timestamp(), delivery=delivery.pk.hex)
    store([Arrived(people.globex.pk, "email", hit), Arrived(people.acme.pk, "push", hit)])
    store([Arrived(people.acme.pk, "email", hit._replace(delivery=uuid.uuid4().hex))])
    apply_due()
    assert state(delivery)[0] == "sent"
    Delivery.objects.filter(pk=delivery.pk).delete()


def test_a_campaign_is_counted_without_persons(people: People) -> None:
    campaign_id = uuid.uuid4()
    hit = Hit("opened", NOW.timestamp(), campaign=campaign_id.hex)
    hits = [hit, hit, hit._replace(machine=True), hit._replace(kind="clicked")]
    for _ in range(2):
        store([Arrived(people.acme.pk, "email", each) for each in hits])
        apply_due()
    assert counts.of_campaign(campaign_id) == {"opened": 4, "machine_opened": 2, "clicked": 2}
