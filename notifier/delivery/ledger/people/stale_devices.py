"""Marks devices dead, with the reason `stale`, that no app registered for so long that their platform has given them
up. Registering one again makes it usable. The task `notifier.stale_devices` calls it."""

from __future__ import annotations

import time

from django.db import connection

from notifier.providers import providers

#: devices of one statement, and seconds of one run: an hour later the next run goes on
BATCH, SECONDS = 1_000, 20.0
STALE = "stale"

# The rows are locked in the order of an import (tenants.imports.merge), and rows that another process has locked are
# left to the next run: this statement waits for no lock. The condition is checked again on the locked row, because the
# app may have registered the device meanwhile.
MARK = """
WITH oldest AS MATERIALIZED (
  SELECT id FROM tenants_device
  WHERE platform = %(platform)s AND dead_since IS NULL AND last_seen_at < now() - make_interval(days => %(days)s)
  ORDER BY last_seen_at LIMIT %(batch)s
), locked AS MATERIALIZED (
  SELECT v.id FROM tenants_device v JOIN oldest USING (id)
  WHERE v.dead_since IS NULL AND v.last_seen_at < now() - make_interval(days => %(days)s)
  ORDER BY v.tenant_id, v.platform, v.token FOR UPDATE OF v SKIP LOCKED
)
UPDATE tenants_device v SET dead_since = now(), dead_reason = %(reason)s FROM locked WHERE v.id = locked.id
"""


def mark_stale_devices(batch: int = BATCH, seconds: float = SECONDS) -> int:
    """Mark the stale devices of each platform whose provider says after how many days a device is stale; returns how
    many. A run begins no statement after so many seconds."""
    until, marked = time.monotonic() + seconds, 0
    for platform, days in stale_after_days().items():
        changed = batch
        while changed == batch and time.monotonic() < until:
            with connection.cursor() as cursor:
                cursor.execute(MARK, {"platform": platform, "days": days, "batch": batch, "reason": STALE})
                changed = cursor.rowcount
            marked += changed
    return marked


def stale_after_days() -> dict[str, int]:
    """platform -> days; the most patient of its providers decides. A platform without such a limit is missing."""
    days: dict[str, int] = {}
    for kind in providers().values():
        if kind.platform and kind.stale_after_days is not None:
            days[kind.platform] = max(kind.stale_after_days, days.get(kind.platform, 0))
    return days
