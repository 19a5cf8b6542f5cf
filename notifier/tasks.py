"""The engine's Celery tasks, three lines each, and the bell that rings them."""

from __future__ import annotations

from datetime import UTC, datetime

from celery import shared_task
from django.conf import settings
from django.db import transaction
from kombu.exceptions import OperationalError

from notifier.delivery import bell, redis
from notifier.delivery.send import deliver
from notifier.delivery.sweep import sweep
from notifier.models.partitions import make_ahead
from notifier.vocabulary import Lane

FAST = (Lane.CRITICAL, Lane.TRANSACTIONAL)


def ring(queue: str) -> None:
    """Put one doorbell on a queue, unless one lies there unheard. A ring that fails is made up for by the sweep."""
    try:
        if redis.client().llen(queue) < 2:
            deliver_queue.apply_async(args=[queue], queue=queue, expires=60, retry=False)
    except (redis.Away, OperationalError):
        return


bell.use(ring)


@shared_task(name="notifier.deliver", ignore_result=True)
def deliver_queue(queue: str) -> None:
    """Send what is due on `<channel>` (critical, transactional) or `<channel>.bulk`."""
    channel, _, bulk = queue.partition(".")
    if deliver(channel, (Lane.BULK,) if bulk else FAST):
        ring(queue)


@shared_task(name="notifier.sweep", ignore_result=True)
def sweep_once() -> None:
    """Every second: see notifier.delivery.sweep."""
    sweep()


@shared_task(name="notifier.partitions", ignore_result=True)
def partitions_ahead() -> None:
    """Every hour: the coming months' partitions exist."""
    with transaction.atomic():
        make_ahead(settings.WEB_DATABASE_ROLE_NAME, datetime.now(UTC).date())
