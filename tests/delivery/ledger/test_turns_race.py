"""Acceptance and sending of the same few ordering queues at once: no turn is lost, without a sweep that repairs."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable

import pytest
from django.db import connections

from inbox.models import InboxMessage
from notifier.delivery.send import deliver
from notifier.models import Delivery, OrderingQueue
from notifier.vocabulary.status import Lane, Status
from tests.delivery.build import Shop, a_shop, an_order

FAST = (Lane.CRITICAL, Lane.TRANSACTIONAL)
PEOPLE, ACCEPTORS, SENDERS, EACH = ("ada", "ben", "cleo"), 3, 3, 60
TIMEOUT = 60.0


@pytest.mark.django_db(transaction=True)
def test_all_leave_in_order_of_acceptance_with_several_acceptors_and_senders() -> None:
    shop = a_shop()
    for person in PEOPLE:
        shop.recipient(person)
    accepted = threading.Event()

    def accept() -> None:
        for person, _ in zip(itertools.cycle(PEOPLE), range(EACH), strict=False):
            shop.accept(an_order(person))

    def send() -> None:
        until = time.monotonic() + TIMEOUT
        while time.monotonic() < until and not (accepted.is_set() and not waiting(shop)):
            deliver("in_app", FAST)

    senders = started(send, SENDERS)
    for thread in started(accept, ACCEPTORS):
        thread.join()
    accepted.set()
    for thread in senders:
        thread.join()
    assert shop.statuses() == ["delivered"] * (ACCEPTORS * EACH)
    assert set(OrderingQueue.objects.filter(tenant=shop.tenant).values_list("unfinished", "turn_taken")) == {(0, False)}
    for queue in OrderingQueue.objects.filter(tenant=shop.tenant):
        accepted_rows = Delivery.objects.filter(recipient_id=queue.recipient_id).order_by("seq")
        arrived = InboxMessage.objects.filter(recipient_id=queue.recipient_id).order_by("seq")
        assert list(arrived.values_list("id", flat=True)) == list(accepted_rows.values_list("id", flat=True))


def waiting(shop: Shop) -> bool:
    return Delivery.objects.filter(tenant=shop.tenant, status__lt=Status.SENT).exists()


def started(work: Callable[[], None], count: int) -> list[threading.Thread]:
    def run() -> None:
        try:
            work()
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads
