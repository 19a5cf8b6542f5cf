"""Any order, repetition and grouping of the same calls leaves the same ledger, history and suppressions."""

from __future__ import annotations

import random
from typing import Any

import pytest
from django.db import connection

from notifier.delivery.receipts.reading import read_receipts
from notifier.models import Delivery, DeliveryEvent, ProviderAccount, Receipt
from notifier.vocabulary.status import Status
from tenants.models import Suppression
from tests.fixtures import People
from tests.receipts.deliveries import NOW, a_delivery
from tests.receipts.reporter import an_account, report

pytestmark = pytest.mark.django_db
KINDS = ("sent", "deferred", "delivered", "opened", "clicked", "bounced", "failed", "complained", "unsubscribed")
BEFORE = ((Status.SENT, ""), (Status.UNKNOWN, "in_doubt"), (Status.FAILED, "rejected"), (Status.SENT, ""))


def some_events(chance: random.Random, deliveries: list[Delivery]) -> list[dict[str, Any]]:
    at = int(NOW.timestamp())
    return [
        {
            "kind": chance.choice(KINDS),
            "delivery_id": str(chance.choice(deliveries).pk),
            "permanent": chance.random() < 0.5,
            "machine": chance.random() < 0.2,
            "at": at - chance.randrange(1000),
        }
        for _ in range(chance.randrange(1, 14))
    ]


def outcome(account: ProviderAccount, deliveries: list[Delivery], calls: list[list[dict[str, Any]]]) -> Any:
    """What is left after these calls, each of which a worker reads by itself."""
    for call in calls:
        report(account, *call)
        read_receipts()
    assert not Receipt.objects.exists()
    rows = Delivery.objects.filter(pk__in=[d.pk for d in deliveries]).order_by("id")
    events = DeliveryEvent.objects.filter(delivery__in=deliveries).order_by("delivery_id", "what")
    suppressed = Suppression.objects.order_by("address").values_list("address", flat=True)
    return list(rows.values_list("status", "reason")), list(events.values_list("delivery_id", "what")), list(suppressed)


@pytest.mark.parametrize("seed", range(8))
def test_any_order_of_the_same_events_ends_in_the_same_state(people: People, seed: int) -> None:
    chance = random.Random(seed)
    account = an_account(people.acme)
    deliveries = [a_delivery(account, status, reason=reason) for status, reason in BEFORE]
    events = some_events(chance, deliveries)
    ends = []
    for shuffle in range(3):
        repeated = [*events, *chance.sample(events, len(events) // 2)]
        chance.shuffle(repeated)
        size = chance.randrange(1, 5)
        calls = [events] if shuffle == 0 else [repeated[i : i + size] for i in range(0, len(repeated), size)]
        with connection.cursor() as cursor:
            cursor.execute("SAVEPOINT before")
        ends.append(outcome(account, deliveries, calls))
        with connection.cursor() as cursor:
            cursor.execute("ROLLBACK TO SAVEPOINT before")
    assert ends[1:] == [ends[0]] * 2
