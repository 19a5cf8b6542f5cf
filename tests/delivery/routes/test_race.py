"""Several sweeps, workers and cancellations at once: each step starts once, or not at all."""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from pytest_django import Settings

from notifier.delivery import Accepted
from notifier.delivery.content import templates
from notifier.delivery.ledger import waiting_rows
from notifier.delivery.routes import sweep as routes
from notifier.delivery.send import deliver
from notifier.delivery.sweep import sweep
from notifier.models import Delivery, DeliveryEvent, OrderingQueue, Route, Template
from notifier.vocabulary.people import SendRequest
from notifier.vocabulary.routes import RouteStep
from notifier.vocabulary.status import Lane, Status
from tests.delivery.build import a_shop
from tests.sandbox.process import Sandbox

PEOPLE, SWEEPS, TIMEOUT = 60, 4, 60.0
ROUTE = (RouteStep(("in_app",)), RouteStep(("sms",), "10m", "seen"))
CONTENT = {"in_app": {"en": {"title": "Hi", "body": "You"}}, "sms": {"en": {"text": "Hi"}}}


@pytest.mark.django_db(transaction=True)
def test_parallel_sweeps_beside_workers_and_cancellations_send_each_message_once(
    sandbox: Sandbox, settings: Settings
) -> None:
    settings.SANDBOX_URL, settings.SANDBOX_CA = sandbox.url, sandbox.ca
    shop = a_shop()
    templates.publish(Template.objects.get(tenant=shop.tenant), CONTENT)
    for n in range(PEOPLE):
        shop.recipient(f"p{n}", phone=f"+49170123{n:04}")
    accepted = shop.accept(*[SendRequest(f"p{n}", "order", route=ROUTE) for n in range(PEOPLE)])
    ids = [outcome.notification_id for outcome in accepted if isinstance(outcome, Accepted)]
    deliver("in_app", list(Lane))
    later = datetime.now(UTC) + timedelta(minutes=11)
    finished = threading.Event()

    def sweeps() -> None:
        routes.sweep(later)
        sweep()

    def cancels() -> None:
        for notification in ids[::3]:
            waiting_rows.cancel([notification])

    threads = [*started(sweeps, SWEEPS, finished), *started(_send_sms, 2, finished)]
    canceller = started(cancels, 1, None)
    for thread in canceller:
        thread.join()
    until = time.monotonic() + TIMEOUT
    while time.monotonic() < until and Delivery.objects.filter(status__lt=Status.SENT).exists():
        time.sleep(0.05)
    finished.set()
    for thread in threads:
        thread.join()
    _check(ids, sandbox)


def _send_sms() -> None:
    deliver("sms", list(Lane))


def _check(ids: list[uuid.UUID], sandbox: Sandbox) -> None:
    sms = Delivery.objects.filter(channel="sms")
    assert set(sms.values_list("status", flat=True)) <= {Status.SENT, Status.CANCELLED}
    sent = set(sms.filter(status=Status.SENT).values_list("address", flat=True))
    assert len(sent) >= PEOPLE - len(ids[::3])
    arrived = Counter(m["address"] for m in sandbox.report(detail=1_000)["messages"])
    assert arrived == Counter(sent), "each message that was sent arrived once, and nothing else"
    starts = Counter(DeliveryEvent.objects.filter(what="started").values_list("delivery_id", flat=True))
    assert set(starts.values()) <= {1}
    assert set(OrderingQueue.objects.values_list("unfinished", "turn_taken")) == {(0, False)}
    assert not Route.objects.filter(notification_id__in=ids[::3], due_at__isnull=False).exists()


def started(work: Callable[[], None], count: int, until: threading.Event | None) -> list[threading.Thread]:
    """Threads that do this once, or again and again until the event."""

    def run() -> None:
        try:
            work()
            while until is not None and not until.is_set():
                work()
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads
