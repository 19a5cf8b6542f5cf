"""Which frequency caps hold a message, and the windows of the calendar in which they count. Pure.

A window is an hour, a day or a week of the recipient's wall clock. A wall clock jumps: a day may have 23 or 25 hours,
an hour of autumn comes twice and is two windows, and Samoa skipped a day.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from notifier.delivery.planning.plan import Rule
from notifier.values.zones import zone
from notifier.vocabulary.status import Kind

_MINUTE = timedelta(minutes=1)


class Cap(NamedTuple):
    """At most `most` messages in each `period`. `category`: "" for all marketing messages; `channel`: "" for all
    channels together."""

    id: uuid.UUID
    category: str
    channel: str
    most: int
    period: str
    changed_at: datetime

    def __str__(self) -> str:
        kind = self.category or "all marketing"
        return f"{self.most} of {kind}{f' on {self.channel}' if self.channel else ''} each {self.period}"


class Window(NamedTuple):
    """From `start` (inclusive) until `end` (exclusive), aware UTC."""

    start: datetime
    end: datetime


class CapWindow(NamedTuple):
    """The window of one cap in which a message counts."""

    cap: Cap
    window: Window


def caps_for(caps: Iterable[Cap], rule: Rule, channel: str) -> list[Cap]:
    """The caps that hold messages of this category on this channel. A cap without a category holds marketing only:
    transactional and critical messages are held only by a cap that names their category."""
    return [
        cap
        for cap in caps
        if cap.channel in ("", channel)
        and (cap.category == rule.category if cap.category else rule.kind == Kind.MARKETING)
    ]


def windows_at(caps: Sequence[Cap], zone_name: str, at: datetime) -> tuple[CapWindow, ...]:
    """The window of each cap at that moment, in a zone."""
    return tuple(CapWindow(cap, window_at(cap.period, zone_name, at)) for cap in caps)


def window_at(period: str, zone_name: str, at: datetime) -> Window:
    """The hour, day or week of the zone's calendar in which a moment lies. A week begins on Monday."""
    here = zone(zone_name)
    return _hour_at(here, at) if period == "hour" else _days_at(here, at, 7 if period == "week" else 1)


def _days_at(here: ZoneInfo, at: datetime, days: int) -> Window:
    midnight = at.astimezone(here).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None, fold=0)
    if days == 7:
        midnight -= timedelta(days=midnight.weekday())
    # a clock that is put back over midnight shows the next midnight twice. Where a clock skips midnight, fold=1 is too
    # early (Beirut, 30 March 2014)
    first, second = (
        (midnight + timedelta(days=days)).replace(tzinfo=here, fold=fold).astimezone(UTC) for fold in (0, 1)
    )
    return Window(midnight.replace(tzinfo=here).astimezone(UTC), first if first > at else max(first, second))


def _hour_at(here: ZoneInfo, at: datetime) -> Window:
    """The hour as long as its clock is not changed: a change within it ends it."""
    offset = at.astimezone(here).utcoffset() or timedelta(0)
    start = (at.astimezone(UTC) + offset).replace(minute=0, second=0, microsecond=0) - offset
    last = start + timedelta(minutes=59)
    if start.astimezone(here).utcoffset() == last.astimezone(here).utcoffset() == offset:
        return Window(start, start + timedelta(hours=1))
    minutes = [start + n * _MINUTE for n in range(60)]
    same = [minute for minute in minutes if minute.astimezone(here).utcoffset() == offset]
    return Window(same[0], same[-1] + _MINUTE)
