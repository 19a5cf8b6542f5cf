"""The counts of a tenant's quotas in PostgreSQL.

A transaction does not see what others count at the same moment, so a quota may be passed by what is being accepted at
once: at most one group of single requests and one bulk request in each web process.
"""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from notifier.delivery.infra import bulk
from notifier.vocabulary.quotas import Period, Quota, Quotas, begins, renews

#: rows of a count: two processes rarely share one
PARTS = 16

#: (channel, period, first day)
Key = tuple[str, str, date]

_USED = """
SELECT channel, period, starts_on, sum(used)::bigint FROM notifier_quotause
WHERE tenant_id = %s AND starts_on = ANY(%s::date[]) GROUP BY channel, period, starts_on
"""
_COLUMNS: bulk.Columns = {"channel": "text", "period": "text", "starts_on": "text", "used": "bigint"}
_ADD = f"""
INSERT INTO notifier_quotause AS q (tenant_id, part, warned, channel, period, starts_on, used)
SELECT %b::uuid, %b::smallint, 0, u.channel, u.period, u.starts_on::date, u.used
FROM {bulk.unnest("u", _COLUMNS)} ORDER BY u.channel, u.period, u.starts_on
ON CONFLICT (tenant_id, starts_on, period, channel, part) DO UPDATE SET used = q.used + excluded.used
"""


@dataclass(frozen=True, slots=True)
class Use:
    """A quota, what is used of it, and when it renews."""

    quota: Quota
    used: int
    renews_at: datetime

    @property
    def left(self) -> int:
        return max(0, self.quota.most - self.used)

    @property
    def percent(self) -> int:
        return 100 * self.used // self.quota.most if self.quota.most else 100


def uses(tenant_id: uuid.UUID, quotas: Quotas, timezone: str, now: datetime) -> list[Use]:
    """What the tenant used of its quotas, those of committed transactions and of this one."""
    first_days = {period: begins(period, now, timezone) for period in Period}
    used = read_used(tenant_id, first_days.values())
    return [
        Use(q, used.get((q.channel, q.period.value, first_days[q.period]), 0), renews(q.period, now, timezone))
        for q in quotas
    ]


def read_used(tenant_id: uuid.UUID, days: Iterable[date]) -> dict[Key, int]:
    """Messages by channel, period and its first day."""
    with bulk.cursor() as cursor:
        cursor.execute(_USED, [tenant_id, sorted(set(days))], prepare=True)
        return {(channel, period, starts_on): used for channel, period, starts_on, used in cursor.fetchall()}


def keys(quotas: Quotas, counts: Mapping[str, int], timezone: str, now: datetime) -> dict[Key, int]:
    """What to add for so many messages by channel: each quota of a channel counts all of them."""
    return {
        (q.channel, q.period.value, begins(q.period, now, timezone)): counts[q.channel]
        for q in quotas
        if counts.get(q.channel)
    }


def add(tenant_id: uuid.UUID, amounts: Mapping[Key, int]) -> None:
    """Count messages, or give them back with amounts below zero. The last statement of a transaction that locks: the
    row stays locked until the end."""
    if not amounts:
        return
    rows = [(channel, period, day.isoformat(), amount) for (channel, period, day), amount in sorted(amounts.items())]
    with bulk.cursor() as cursor:
        cursor.execute(_ADD, [tenant_id, _own_part(), *bulk.by_column(_COLUMNS, rows)], prepare=True)


def _own_part() -> int:
    return hash((os.getpid(), threading.get_ident())) % PARTS
