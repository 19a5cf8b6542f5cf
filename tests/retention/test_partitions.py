"""Months of the ledger, the events and the inbox: dropped when nothing in them must stay."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from django.db import connection, transaction

from inbox.models import Feed, InboxMessage, State
from notifier.delivery.retention import partitions
from notifier.delivery.retention.partitions import months_of
from notifier.models import DeadLetter, Delivery, DeliveryEvent, MessageCount, Notification, RetiredPartition
from notifier.models.partitions import PARTITIONED, default_rows, make_ahead
from notifier.vocabulary.ids import id_floor, new_id
from notifier.vocabulary.status import Status
from tenants.retention.periods import all_cutoffs
from tenants.retention.registry import Pace
from tests.campaigns.workers import in_parallel
from tests.delivery.build import Shop, an_order
from tests.retention.conftest import deliver_all, run_after
from tests.retention.holders import HOLDERS_OF_ANY_ROW

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def no_retired_partitions(transactional_db: None) -> Any:
    """The emptying of the database makes new months; a detached one that a test left is no partition any more."""
    partitions.reset()
    yield
    with connection.cursor() as cursor:
        for name, parent in RetiredPartition.objects.values_list("name", "parent"):
            cursor.execute(f"DROP TABLE IF EXISTS {name}")
            assert parent in PARTITIONED
    RetiredPartition.objects.all().delete()


def names(table: str) -> list[str]:
    return [month.name for month in months_of(table)]


def sent_orders(shop: Shop, number: int = 3) -> list[Delivery]:
    shop.accept(*(an_order() for _ in range(number)))
    for _ in range(number):
        deliver_all()
    DeliveryEvent.objects.bulk_create(
        DeliveryEvent(id=new_id(), tenant=shop.tenant, delivery=row, what="read", at=datetime.now(UTC))
        for row in shop.deliveries()
    )
    return shop.deliveries()


def test_months_that_are_over_are_dropped_and_counted(shop: Shop) -> None:
    sent_orders(shop)
    run_after(250)
    assert [names(table) for table in PARTITIONED] == [[], [], []]
    assert not RetiredPartition.objects.exists()
    assert sum(MessageCount.objects.values_list("messages", flat=True)) == 3
    feed = Feed.objects.get()
    assert (feed.unread, feed.unseen, feed.by_category, feed.last_seq) == (0, 0, {}, 3)
    assert not Notification.objects.exists()


def test_a_month_goes_when_its_last_day_is_old_and_not_before(shop: Shop) -> None:
    today = datetime.now(UTC)
    last = months_of("notifier_delivery")[0]
    days_until_old = (last.end - today).days + 90
    run_after(days_until_old - 1)
    assert last.name in names("notifier_delivery")
    run_after(days_until_old + 1)
    assert last.name not in names("notifier_delivery")


HOLDERS: dict[str, Callable[[Delivery], Any]] = {
    **HOLDERS_OF_ANY_ROW,
    "ended lately": lambda row: Delivery.objects.filter(pk=row.pk).update(
        settled_at=datetime.now(UTC) + timedelta(days=245)
    ),
}


@pytest.mark.parametrize("holder", HOLDERS)
def test_a_month_with_something_that_must_stay_is_emptied_around_it(shop: Shop, holder: str) -> None:
    row = sent_orders(shop)[1]
    HOLDERS[holder](row)
    run_after(250)
    assert len(names("notifier_delivery")) == 1
    assert [each.pk for each in shop.deliveries()] == [row.pk]
    assert list(DeliveryEvent.objects.values_list("delivery_id", flat=True)) == [row.pk]
    assert sum(MessageCount.objects.values_list("messages", flat=True)) == 2
    # the message of the inbox has the same id, and so lies in the same month, whenever it arrived
    assert list(InboxMessage.objects.values_list("pk", flat=True)) == [row.pk]
    feed = Feed.objects.get()
    assert (feed.unread, feed.unseen, feed.by_category) == (1, 1, {"orders": [1, 1]})


def test_a_month_of_the_inbox_goes_after_that_of_the_ledger(shop: Shop) -> None:
    row = sent_orders(shop)[1]
    HOLDERS["dead letter"](row)
    run_after(250)
    assert len(names("inbox_inboxmessage")) == 1
    DeadLetter.objects.all().delete()
    partitions.reset()
    run_after(250)
    assert [names(table) for table in PARTITIONED] == [[], [], []]
    assert Feed.objects.get().unread == 0


def test_a_snoozed_message_keeps_its_month(shop: Shop) -> None:
    row = sent_orders(shop)[1]
    InboxMessage.objects.filter(pk=row.pk).update(
        state=State.SNOOZED, snoozed_until=datetime.now(UTC) + timedelta(days=500)
    )
    run_after(250)
    assert list(InboxMessage.objects.values_list("pk", flat=True)) == [row.pk]
    assert len(names("inbox_inboxmessage")) == 1


def test_a_worker_that_takes_over_counts_the_rest_once(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    sent_orders(shop, 5)
    monkeypatch.setattr(partitions, "CHUNK", 2)
    longest = all_cutoffs(datetime.now(UTC) + timedelta(days=250))[0].longest
    month = next(m for m in months_of("notifier_delivery") if Delivery.objects.filter(pk__gte=m.values(longest)["low"]))
    for killed_after in range(3):
        # a worker that is killed after so many chunks
        pace = PaceOf(killed_after)
        partitions.retire(all_cutoffs(datetime.now(UTC) + timedelta(days=250)), pace)
    run_after(250)
    assert month.name not in names("notifier_delivery")
    assert sum(MessageCount.objects.values_list("messages", flat=True)) == 5


class PaceOf(Pace):
    """Ends after so many questions."""

    def __init__(self, questions: int) -> None:
        super().__init__()
        self._left = questions

    def may_go_on(self) -> bool:
        self._left -= 1
        return self._left >= 0


def test_a_busy_ledger_is_left_alone(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A transaction that reads the ledger keeps the month; claims behind the detacher wait 0.1 s and no longer."""
    sent_orders(shop)
    monkeypatch.setattr(partitions, "TRIES", 2)
    monkeypatch.setattr(partitions, "PAUSE", 0.01)
    with transaction.atomic():
        assert Delivery.objects.exists()
        in_parallel(lambda: run_after(250))
    assert len(shop.deliveries()) == 0  # row by row, because the months were busy
    assert names("notifier_delivery") and not RetiredPartition.objects.exists()
    run_after(250)
    assert not names("notifier_delivery")


def detached(table: str, row: Delivery) -> str:
    """The month of this row's id, as a worker leaves it that is killed after it detached the month."""
    month = next(m for m in months_of(table) if m.first == row.accepted_at.date().replace(day=1))
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} DETACH PARTITION {month.name}")
    RetiredPartition.objects.create(name=month.name, parent=table, counted=id_floor(0))
    return month.name


@pytest.mark.parametrize("table", PARTITIONED)
def test_a_backup_that_reads_a_month_keeps_the_month_and_holds_nothing_up(shop: Shop, table: str) -> None:
    name = detached(table, sent_orders(shop)[0])
    with psycopg.connect(**connection.get_connection_params()) as backup:
        backup.execute(f"SELECT count(*) FROM {name}")
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '20s'")  # a run that waits for the backup fails here
            run_after(250)
            cursor.execute("RESET lock_timeout")
        assert [row.name for row in RetiredPartition.objects.all()] == [name]
    run_after(250)
    assert not RetiredPartition.objects.exists()
    assert sum(MessageCount.objects.values_list("messages", flat=True)) == 3


def test_a_detached_month_with_something_that_must_stay_is_attached_again(shop: Shop) -> None:
    row = sent_orders(shop)[0]
    name = detached("notifier_delivery", row)
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {name} SET status = {Status.QUEUED:d}, settled_at = NULL")
    # a row that came meanwhile: the month cannot be attached beside it, and other work goes on
    shop.accept(an_order())
    run_after(250)
    assert RetiredPartition.objects.filter(name=name, checked=False).exists()
    assert InboxMessage.objects.count() == 3
    Delivery.objects.all().delete()
    run_after(250)
    assert name in names("notifier_delivery") and not RetiredPartition.objects.exists()
    assert len(shop.deliveries()) == 3
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_constraint WHERE conname = 'ids_of_month'")
        assert cursor.fetchone() == (0,)


def test_one_process_retires_months_at_a_time(shop: Shop) -> None:
    sent_orders(shop)
    with psycopg.connect(**connection.get_connection_params()) as other:
        other.execute("SELECT pg_advisory_xact_lock(hashtext('notifier.retention'))")
        run_after(250)
        assert names("notifier_delivery")
    run_after(250)
    assert not names("notifier_delivery")


def test_months_are_made_again_and_rows_outside_of_every_month_are_seen(shop: Shop) -> None:
    run_after(250)
    shop.accept(an_order())
    assert default_rows() == {"notifier_delivery": 1}
    Delivery.objects.all().delete()
    with transaction.atomic():
        make_ahead(datetime.now(UTC).date())
    assert len(names("notifier_delivery")) == 4
