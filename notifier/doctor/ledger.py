"""Messages that wait too long, leases that nobody ends, dead letters, receipts that nobody can read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db import connection

from notifier.doctor.findings import Finding, error, warning
from notifier.doctor.registry import Options, Server, register
from notifier.models import DeadLetter, Receipt
from notifier.vocabulary.status import QueuePosition, Status

LATE = warning("late", "Messages reach people late.", "start more workers of the channel; see the accounts' rates")
VERY_LATE = error("very-late", "Messages reach people late.", "start workers of the channel; look at its accounts")
SWEEP = error(
    "sweep-lag", "Held messages stay held, and those of lost workers stay lost.", "start beat and the worker `control`"
)
LEASES = error(
    "lost-leases", "Their messages wait until the sweep takes them back.", "start beat and the worker `control`"
)
DEAD_LETTERS = warning("dead-letters", "These messages have not arrived.", "admin, Dead letters: look, then Send again")
UNREADABLE = warning("unreadable-receipts", "The fate of their messages is not known.", "admin, Unreadable receipts")
#: seconds
LATE_SECONDS, VERY_LATE_SECONDS, SWEEP_SECONDS = 60, 600, 60

# each by a partial index of its status: delivery_due, delivery_parked, delivery_in_flight
_DUE = f"""
SELECT channel, extract(epoch FROM now() - min(due_at))::int FROM notifier_delivery
WHERE status = {Status.QUEUED} AND queue_position = {QueuePosition.HAS_TURN} AND due_at <= now() GROUP BY 1 ORDER BY 1
"""
_PARKED = f"""
SELECT extract(epoch FROM now() - min(due_at))::int FROM notifier_delivery
WHERE status = {Status.QUEUED} AND queue_position = {QueuePosition.PARKED}
  AND due_at <= now() - interval '{SWEEP_SECONDS} s'
"""
_LEASES = f"""
SELECT count(*) FROM notifier_delivery
WHERE status IN ({Status.CLAIMED}, {Status.SENDING}) AND lease_until < now() - interval '{SWEEP_SECONDS} s'
"""


def due(options: Options) -> Iterator[Finding]:
    for channel, seconds in _rows(_DUE):
        if seconds > LATE_SECONDS:
            kind = VERY_LATE if seconds > VERY_LATE_SECONDS else LATE
            yield kind.says(f"The oldest due message of {channel} waits for {_time(seconds)}.")


def sweep(options: Options) -> Iterator[Finding]:
    if seconds := _rows(_PARKED)[0][0]:
        yield SWEEP.says(f"A message that was held is due for {_time(seconds)}, and the sweep has not taken it.")
    if count := _rows(_LEASES)[0][0]:
        yield LEASES.says(f"The leases of {count} messages in flight are over for more than a minute.")


def dead_letters(options: Options) -> Iterator[Finding]:
    if count := DeadLetter.objects.filter(redriven_at__isnull=True).count():
        yield DEAD_LETTERS.says(f"There are {count} dead letters.")


def receipts(options: Options) -> Iterator[Finding]:
    if count := Receipt.objects.filter(state=Receipt.State.UNREADABLE).count():
        yield UNREADABLE.says(f"{count} reports of providers could not be read.")


def _time(seconds: int) -> str:
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} minutes"


def _rows(statement: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


def register_checks() -> None:
    register("due messages", due, Server.DATABASE)
    register("sweep", sweep, Server.DATABASE)
    register("dead letters", dead_letters, Server.DATABASE)
    register("receipts", receipts, Server.DATABASE)
