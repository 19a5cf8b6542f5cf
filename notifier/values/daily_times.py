"""A time of day that comes every day or every week: `daily at 09:00`, `monday at 18:30`."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta
from typing import NamedTuple

from notifier.errors import InvalidInput
from notifier.values.zones import from_wall_clock, zone

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_TEXT = re.compile(rf"(?:daily|(?:weekly on )?({'|'.join(WEEKDAYS)})) at ([01][0-9]|2[0-3]):([0-5][0-9])\Z")


class DailyTime(NamedTuple):
    """`weekday`: 0 is Monday; None: every day."""

    weekday: int | None
    at: time

    def __str__(self) -> str:
        return f"{'daily' if self.weekday is None else WEEKDAYS[self.weekday]} at {self.at:%H:%M}"


def parse(text: str, field: str) -> DailyTime:
    """Raises InvalidInput, naming the field."""
    match = _TEXT.match(" ".join(text.lower().split()))
    if match is None:
        raise InvalidInput("Must be such as `daily at 09:00` or `monday at 09:00`.", field=field)
    weekday = WEEKDAYS.index(match[1]) if match[1] else None
    return DailyTime(weekday, time(int(match[2]), int(match[3])))


def next_time(daily: DailyTime, zone_name: str, now: datetime) -> datetime:
    """The first such time (UTC) after `now` on a clock of the zone. A time that the clock skips moves forward by what
    is skipped; of a time that comes twice the first counts."""
    today = now.astimezone(zone(zone_name)).date()
    # nine days: the first may be over, and a clock may skip one (Samoa, 30 December 2011)
    days = (today + timedelta(days=n) for n in range(9))
    chosen = (day for day in days if daily.weekday is None or day.weekday() == daily.weekday)
    times = (from_wall_clock(datetime.combine(day, daily.at), zone_name) for day in chosen)
    return next(at for at in times if at > now)
