"""What goes with time of a tenant's requests, and what stays."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from pytest_django import Settings

from inbox.models import Feed, InboxMessage, State
from notifier.models import DeadLetter, Delivery, DeliveryEvent, MessageCount, Notification, RequestCount, Route
from notifier.vocabulary.ids import new_id
from notifier.vocabulary.load import Switch
from notifier.vocabulary.status import Status
from tenants.load_shedding import level, switch
from tests.delivery.build import Shop, an_order
from tests.retention.conftest import deliver_all, keep_for, run_after
from tests.retention.holders import HOLDERS_OF_ANY_ROW

# a claim compares with the time at which its transaction began
pytestmark = pytest.mark.django_db(transaction=True)


def sent_orders(shop: Shop, number: int = 3) -> list[Delivery]:
    shop.accept(*(an_order() for _ in range(number)))
    for _ in range(number):
        deliver_all()
    assert shop.statuses() == ["delivered"] * number
    return shop.deliveries()


def test_what_is_old_goes_with_all_that_belongs_to_it(shop: Shop) -> None:
    keep_for(shop.tenant, 7)
    deliveries = sent_orders(shop)
    DeliveryEvent.objects.create(
        tenant=shop.tenant, delivery=deliveries[0], what="read", at=datetime.now(UTC), id=new_id()
    )
    assert run_after(6) == 0
    assert Notification.objects.count() == 3
    run_after(8, batch=2)
    left: list[Any] = [Notification, Delivery, DeliveryEvent, InboxMessage, Route]
    assert [model.objects.filter(tenant=shop.tenant).count() for model in left] == [0, 0, 0, 0, 0]


def test_what_goes_is_counted_once(shop: Shop) -> None:
    keep_for(shop.tenant, 7)
    shop.recipient("bob", locale="de")
    shop.accept(an_order("bob"), an_order("bob"))
    deliver_all()
    deliver_all()
    sent_orders_of_ada = 1
    shop.accept(an_order())
    deliver_all()
    run_after(8, batch=1)
    run_after(9)
    rows = MessageCount.objects.filter(tenant=shop.tenant).order_by("locale")
    columns = ("channel", "category", "template", "status", "reason", "provider", "locale", "mode", "messages")
    assert list(rows.values_list(*columns)) == [
        ("in_app", "orders", "order", Status.DELIVERED, "", "in_app", "", "live", sent_orders_of_ada),
        ("in_app", "orders", "order", Status.DELIVERED, "", "in_app", "de", "live", 2),
    ]
    assert sum(RequestCount.objects.filter(tenant=shop.tenant).values_list("requests", flat=True)) == 3


def test_an_unread_message_leaves_the_counters_of_its_inbox(shop: Shop) -> None:
    keep_for(shop.tenant, 7)
    sent_orders(shop)
    message = InboxMessage.objects.order_by("seq").first()
    assert message is not None
    feed = Feed.objects.get()
    assert (feed.unread, feed.unseen, feed.by_category) == (3, 3, {"orders": [3, 3]})
    run_after(8, batch=2)
    feed.refresh_from_db()
    assert (feed.unread, feed.unseen, feed.by_category, feed.last_seq) == (0, 0, {}, 3)


HOLDERS: dict[str, Callable[[Delivery], Any]] = {
    **HOLDERS_OF_ANY_ROW,
    "sending": lambda row: Delivery.objects.filter(pk=row.pk).update(status=Status.SENDING, settled_at=None),
    "ended lately": lambda row: Delivery.objects.filter(pk=row.pk).update(
        settled_at=datetime.now(UTC) + timedelta(days=5)
    ),
    "snoozed": lambda row: InboxMessage.objects.filter(pk=row.pk).update(
        state=State.SNOOZED, snoozed_until=datetime.now(UTC) + timedelta(days=30)
    ),
}


@pytest.mark.parametrize("holder", HOLDERS)
def test_what_is_not_over_stays_whole(shop: Shop, holder: str) -> None:
    keep_for(shop.tenant, 7)
    second = sent_orders(shop)[1]
    HOLDERS[holder](second)
    run_after(8, batch=1)
    assert [row.pk for row in shop.deliveries()] == [second.pk]
    assert list(Notification.objects.values_list("pk", flat=True)) == [second.notification_id]
    assert list(InboxMessage.objects.values_list("pk", flat=True)) == [second.pk]


def test_a_dead_letter_that_was_sent_again_goes_with_its_message(shop: Shop) -> None:
    keep_for(shop.tenant, 7)
    first, *_ = sent_orders(shop)
    HOLDERS["dead letter"](first)
    DeadLetter.objects.update(redriven_at=datetime.now(UTC))
    run_after(8)
    assert not DeadLetter.objects.exists() and not shop.deliveries()


def test_a_tenant_that_keeps_longer_keeps_its_rows(shop: Shop) -> None:
    other = Shop(type(shop.tenant).objects.create(name="other", slug="other-shop"))
    keep_for(shop.tenant, 7)
    keep_for(other.tenant, 700)
    sent_orders(shop)
    Notification.objects.filter(tenant=shop.tenant).update(tenant=other.tenant)
    Delivery.objects.filter(tenant=shop.tenant).update(tenant=other.tenant)
    run_after(600)
    assert Delivery.objects.filter(tenant=other.tenant).count() == 3


def test_the_ledger_refuses_the_deletion_of_an_event_otherwise(shop: Shop) -> None:
    row = sent_orders(shop, 1)[0]
    DeliveryEvent.objects.create(tenant=shop.tenant, delivery=row, what="read", at=datetime.now(UTC), id=new_id())
    with connection.cursor() as cursor, pytest.raises(Exception, match="append-only"):
        cursor.execute("DELETE FROM notifier_deliveryevent")


def test_nothing_is_deleted_while_the_operator_says_so(shop: Shop, settings: Settings) -> None:
    keep_for(shop.tenant, 7)
    sent_orders(shop)
    settings.RETENTION = False
    assert run_after(100) == 0
    assert len(shop.deliveries()) == 3


def test_nothing_is_deleted_while_load_is_shed(shop: Shop) -> None:
    keep_for(shop.tenant, 7)
    sent_orders(shop)
    switch.set_switch(Switch.ON)
    level.reset()
    run_after(8)
    assert len(shop.deliveries()) == 3
    switch.set_switch(Switch.OFF)
    level.reset()
    run_after(8)
    assert not shop.deliveries()
