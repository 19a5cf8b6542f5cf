"""Workers and beat: whether every queue is served, and whether periodic tasks are sent."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from celery import current_app
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from notifier.channels.queues import queues
from notifier.doctor.findings import Finding, error
from notifier.doctor.registry import Options, Server, register

NO_WORKER = error(
    "no-worker", "What is in the queue waits.", "start a worker for it; `manage.py queues` prints all queues"
)
NO_BEAT = error(
    "no-beat",
    "Nothing repairs lost work, scheduled messages do not leave, and no partition is made.",
    "start beat, exactly one",
)
#: beat writes its last runs to the database every three minutes
BEAT_SILENCE = timedelta(minutes=10)


def workers(options: Options) -> Iterator[Finding]:
    answers: Mapping[str, Sequence[Mapping[str, Any]]] | None = current_app.control.inspect(
        timeout=options.worker_seconds
    ).active_queues()
    served = {str(queue["name"]) for node in (answers or {}).values() for queue in node}
    yield from judge_queues(served, queues(), options.worker_seconds)


def judge_queues(served: Collection[str], wanted: Sequence[str], seconds: float) -> Iterator[Finding]:
    """Pure."""
    if missing := [queue for queue in wanted if queue not in served]:
        names = "any queue" if len(missing) == len(wanted) else f"the queues {', '.join(missing)}"
        names = f"the queue {missing[0]}" if len(missing) == 1 else names
        yield NO_WORKER.says(f"No worker of {names} answered within {seconds:.0f} s.")


def beat(options: Options) -> Iterator[Finding]:
    tasks = PeriodicTask.objects.filter(enabled=True)
    times = [at for row in tasks.values_list("last_run_at", "date_changed") for at in row if at is not None]
    yield from judge_beat(max(times, default=None), timezone.now())


def judge_beat(last: datetime | None, now: datetime) -> Iterator[Finding]:
    """Pure."""
    if last is None:
        yield NO_BEAT.says("Beat has never run.")
    elif now - last > BEAT_SILENCE:
        yield NO_BEAT.says(f"Beat has sent nothing since {last:%Y-%m-%d %H:%M} UTC.")


def register_checks() -> None:
    register("workers", workers, Server.REDIS)
    register("beat", beat, Server.DATABASE)
