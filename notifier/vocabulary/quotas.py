"""How many messages a tenant may send on a channel in a day and in a month. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any

from notifier.values.zones import zone


class Period(StrEnum):
    DAY = "day"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Quota:
    """`most` messages of a channel in each period."""

    channel: str
    period: Period
    most: int

    def warns_at(self, percent: int) -> int:
        """So many messages are that share of the quota, rounded up."""
        return -(-self.most * percent // 100)


#: shares of a quota at which the tenant's owners get a warning
WARNINGS = (80, 100)
Quotas = tuple[Quota, ...]


def read_quotas(stored: Any) -> Quotas:
    """Of the tenant's column: {"email": {"day": 1000, "month": 20000}}."""
    if not isinstance(stored, Mapping):
        return ()
    return tuple(
        Quota(channel, period, int(periods[period.value]))
        for channel, periods in sorted(stored.items())
        for period in Period
        if periods.get(period.value) is not None
    )


def begins(period: Period, now: datetime, timezone: str) -> date:
    """The first day of the period, by the tenant's clock."""
    today = now.astimezone(zone(timezone or "UTC")).date()
    return today if period is Period.DAY else today.replace(day=1)


def renews(period: Period, now: datetime, timezone: str) -> datetime:
    """When the next period begins: midnight by the tenant's clock, in UTC."""
    first = begins(period, now, timezone)
    following = first + timedelta(days=1) if period is Period.DAY else (first + timedelta(days=32)).replace(day=1)
    return datetime.combine(following, time(), zone(timezone or "UTC")).astimezone(UTC)
