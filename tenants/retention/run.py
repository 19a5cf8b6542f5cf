"""One run of the deletion, and what a run would delete."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import structlog
from django.conf import settings

from tenants.retention.periods import all_cutoffs
from tenants.retention.registry import Amount, Pace, preparations, removers

log = structlog.get_logger("tenants.retention")


@dataclass(frozen=True)
class Old:
    """What of one tenant is too old."""

    tenant: str
    amount: Amount


def preview(now: datetime, slug: str = "") -> Iterator[Old]:
    """What a run would delete row by row; nothing is changed. `slug`: of one tenant."""
    for cutoffs in all_cutoffs(now, slug):
        for remover in removers():
            for amount in remover.preview(cutoffs):
                if amount.rows:
                    yield Old(cutoffs.slug, amount)


def run(now: datetime, pace: Pace | None = None) -> int:
    """Delete what is too old, until it is done or the time is used up; returns how many rows. Several runs at once do
    no harm."""
    if not settings.RETENTION:
        return 0
    pace = pace or Pace()
    everybody = all_cutoffs(now)
    for prepare in preparations():
        prepare(everybody, pace)
    removed = 0
    for remover in removers():
        rows = sum(remover.remove(cutoffs, pace) for cutoffs in everybody if pace.may_go_on())
        if rows:
            log.info("old rows deleted", action="delete", what=remover.name, rows=rows)
        removed += rows
    return removed
