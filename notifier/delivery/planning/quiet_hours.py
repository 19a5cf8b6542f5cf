"""Quiet hours: the one rule that says which messages wait, and until when. Pure.

Quiet hours are hours of a wall clock, so the rule reads the recipient's wall clock at the time of sending. A wall clock
jumps: an hour repeats in autumn, an hour is missing in spring, and Samoa skipped a day.
"""

from __future__ import annotations

import zoneinfo
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from notifier.values.zones import zone
from notifier.vocabulary.people import Preferences
from notifier.vocabulary.status import Kind

_DAY = 24 * 60
_MINUTE = timedelta(minutes=1)


class QuietHours(NamedTuple):
    """From `start` (inclusive) until `end` (exclusive), minutes of the local day; `end` may be on the next day."""

    start: int
    end: int
    zone: str  #: "" where the tenant's zone counts

    def minutes_left(self, minute: int) -> int:
        """Minutes on the clock until quiet hours end; 0 outside of them."""
        start, end = self.start, self.end
        inside = start <= minute < end if start < end else minute >= start or minute < end
        return (end - minute) % _DAY if inside else 0


def hours_of(preferences: Preferences, kind: Kind, own_zone: str) -> QuietHours | None:
    """The quiet hours in which a message of this kind waits; None: it never waits. Only marketing waits."""
    start, end = preferences.quiet_from, preferences.quiet_until
    if kind != Kind.MARKETING or start is None or end is None or start == end:
        return None
    return QuietHours(start, end, own_zone)


def find_end(hours: QuietHours, tenant_zone: str, now: datetime) -> datetime | None:
    """The first minute after `now` that is not quiet; None when `now` is not. Times are aware UTC."""
    local = zone(hours.zone or tenant_zone)
    at = now.astimezone(UTC).replace(second=0, microsecond=0)
    left = hours.minutes_left(_minute(at, local))
    if not left:
        return None
    while left:
        end = at + left * _MINUTE
        # when the clock changes before that, continue from what the clock shows at its change
        at = end if _offset(at, local) == _offset(end, local) else _clock_change(at, end, local)
        left = hours.minutes_left(_minute(at, local))
    return at


def _clock_change(before: datetime, after: datetime, local: zoneinfo.ZoneInfo) -> datetime:
    """The first minute whose offset differs from that of `before`; the offset of `after` does."""
    offset, low, high = _offset(before, local), 0, int((after - before) / _MINUTE)
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(before + middle * _MINUTE, local) == offset:
            low = middle
        else:
            high = middle
    return before + high * _MINUTE


def _minute(at: datetime, local: zoneinfo.ZoneInfo) -> int:
    shown = at.astimezone(local)
    return shown.hour * 60 + shown.minute


def _offset(at: datetime, local: zoneinfo.ZoneInfo) -> timedelta | None:
    return at.astimezone(local).utcoffset()


def expires_in_quiet_hours(until: datetime | None, not_after: datetime | None) -> bool:
    """Whether a message that waits for the end of quiet hours expires before that."""
    return until is not None and not_after is not None and not_after <= until
