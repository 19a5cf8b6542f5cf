"""The engine's Celery tasks, three lines each, and what posts them (`AppConfig.ready` registers `notify_queue`)."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import structlog
from celery import current_app, shared_task
from django.db import transaction
from kombu.exceptions import OperationalError

from notifier.channels.queues import CONTROL, channel_and_lanes, is_bulk
from notifier.delivery.infra import redis
from notifier.delivery.send import deliver
from notifier.delivery.sweep import sweep
from notifier.delivery.wakeup import listener
from notifier.models.partitions import make_ahead

log = structlog.get_logger("notifier.tasks")

#: seconds for which a process does not ask a Redis again that was away: one that hangs instead of refusing costs its
#: callers 2 s a question
REST = 5.0
_away_until = 0.0


def _rest(error: Exception, task: str) -> None:
    global _away_until
    _away_until = time.monotonic() + REST
    log.warning("broker away", action="post", task=task, error=type(error).__name__)


def post(task: str, *args: str, queue: str = CONTROL) -> bool:
    """Send a task by name. False when the broker is away: whoever posts has left rows that a sweep finds."""
    # our client knows at once that Redis is away; the broker's tries for 12 s, in the caller's request
    return _length(queue) is not None and _publish(task, args, queue)


def waiting(queue: str) -> int:
    """Messages that no worker of this queue has taken yet; 0 while the broker is away."""
    return _length(queue) or 0


def notify_queue(queue: str) -> None:
    """Call whoever listens to a queue; if nobody does, put a doorbell on it, unless some lie there unheard."""
    lying = _ask(lambda: listener.notify_listener(queue), queue)
    if lying is not None and lying < 2:
        _publish("notifier.deliver", [queue], queue)


def _length(queue: str) -> int | None:
    """What waits there; None while the broker is away."""
    return _ask(lambda: int(redis.client().llen(queue)), queue)


def _ask(question: Callable[[], int | None], queue: str) -> int | None:
    """What Redis answers; None while it is away."""
    if time.monotonic() < _away_until:
        return None
    try:
        return question()
    except redis.Unavailable as error:
        _rest(error, queue)
        return None


def _publish(task: str, args: Sequence[str], queue: str) -> bool:
    try:
        # a result that somebody may want is subscribed to first: 19 s of tries and an error while Redis is away
        current_app.send_task(task, args=args, queue=queue, retry=False, ignore_result=True)
    except OperationalError as error:
        _rest(error, task)
        return False
    return True


@shared_task(name="notifier.deliver", ignore_result=True)
def deliver_queue(queue: str) -> None:
    """Send what is due of a channel, in the lanes of this queue. The processes of a bulk queue are for campaigns, too,
    and do not stay when there is nothing to send."""
    wakeups = listener.NullListener() if is_bulk(queue) else listener.WakeupListener(queue)
    if deliver(*channel_and_lanes(queue), wakeups):
        notify_queue(queue)


@shared_task(name="notifier.sweep", ignore_result=True)
def sweep_once() -> None:
    """Every second: see notifier.delivery.sweep."""
    sweep()


@shared_task(name="notifier.partitions", ignore_result=True)
def partitions_ahead() -> None:
    """Every hour: the coming months' partitions exist."""
    with transaction.atomic():
        make_ahead(datetime.now(UTC).date())
