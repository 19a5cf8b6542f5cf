"""Messages that wait too long, leases that nobody ends, dead letters, receipts that nobody can read, quotas that are
used up, rows that should be deleted."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection

from notifier.delivery.quotas.watching import near_end
from notifier.doctor.findings import Finding, error, warning
from notifier.doctor.registry import Options, Server, register
from notifier.models import DeadLetter, Receipt
from notifier.vocabulary.status import QueuePosition, Status
from tenants.models import Tenant
from tenants.retention.periods import all_cutoffs
from tenants.retention.registry import removers

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
USED_UP = warning(
    "quota-used", "Further messages are refused until it renews.", "admin, Tenants: raise the quota, or wait"
)
BEHIND = warning(
    "retention-behind",
    "Data is kept for longer than its tenant chose, and the disk fills.",
    "start beat and the worker `batch`; `manage.py retention` deletes now",
)
#: rows that should have been deleted so long ago
BEHIND_FOR = timedelta(days=3)
#: for which old rows are looked for, until one tenant has some
_LOOK_SECONDS = 10.0
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


def quotas(options: Options) -> Iterator[Finding]:
    now = datetime.now(UTC)
    for tenant in Tenant.objects.filter(quotas__isnull=False, active=True).order_by("pk"):
        for use in near_end(tenant, now):
            quota = use.quota
            # a quota of nothing closes the channel
            if 0 < quota.most <= use.used:
                yield USED_UP.says(
                    f"{tenant.slug} has used its quota of {quota.most} {quota.channel} messages a {quota.period.value}."
                )


def old_rows(options: Options) -> Iterator[Finding]:
    """What a run of three days ago would have deleted, of as many tenants as some seconds allow."""
    until = time.monotonic() + _LOOK_SECONDS
    for cutoffs in all_cutoffs(datetime.now(UTC) - BEHIND_FOR) if settings.RETENTION else ():
        amounts = [amount for remover in removers() for amount in remover.preview(cutoffs) if amount.rows]
        for amount in amounts:
            yield BEHIND.says(f"{amount.rows} rows of {amount.table} of {cutoffs.slug} should be gone since days.")
        if amounts or time.monotonic() > until:
            return


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
    register("quotas", quotas, Server.DATABASE)
    register("retention", old_rows, Server.DATABASE)
    register("dead letters", dead_letters, Server.DATABASE)
    register("receipts", receipts, Server.DATABASE)
