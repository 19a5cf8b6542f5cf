"""A repetition as data: what an RRULE (rrule.py) and a cron line (cron.py) become, and which days it has. Pure."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import Enum


class Unit(Enum):
    """What INTERVAL counts."""

    MINUTES = "MINUTELY"
    HOURS = "HOURLY"
    DAYS = "DAILY"
    WEEKS = "WEEKLY"
    MONTHS = "MONTHLY"


@dataclass(frozen=True)
class Weekday:
    """Monday is 0. `nth` 2 is the second of the month, -1 the last, 0 each one."""

    day: int
    nth: int = 0

    def matches(self, day: date) -> bool:
        if day.weekday() != self.day:
            return False
        if self.nth > 0:
            return (day.day - 1) // 7 + 1 == self.nth
        return self.nth == 0 or (days_of_month(day) - day.day) // 7 + 1 == -self.nth


@dataclass(frozen=True)
class Rule:
    """A repetition. An empty set or tuple sets no condition, or takes the value of the start (RFC 5545, 3.3.10)."""

    unit: Unit
    interval: int = 1
    months: frozenset[int] = frozenset()
    #: 1 to 31, or -1 for the last day to -31
    month_days: frozenset[int] = frozenset()
    weekdays: frozenset[Weekday] = frozenset()
    #: a day needs to match `month_days` or `weekdays`, not both: what cron does when a line names both
    either_day: bool = False
    hours: tuple[int, ...] = ()
    minutes: tuple[int, ...] = ()
    count: int | None = None
    #: the last time, by the clock of the schedule's zone, or with a zone (UTC)
    until: datetime | None = None

    @property
    def steps_in_real_time(self) -> bool:
        """Whether a slot comes at each step of real time, also where a clock shows an hour twice."""
        return self.unit in (Unit.MINUTES, Unit.HOURS)

    def has_day(self, day: date, start: date) -> bool:
        """Whether the rule has slots on this day, when it begins on `start`."""
        return self._in_period(day, start) and self._day_matches(day, start)

    def _in_period(self, day: date, start: date) -> bool:
        if self.unit == Unit.DAYS:
            return (day - start).days % self.interval == 0
        if self.unit == Unit.WEEKS:
            monday = start - timedelta(days=start.weekday())
            return (day - monday).days // 7 % self.interval == 0
        if self.unit == Unit.MONTHS:
            return ((day.year - start.year) * 12 + day.month - start.month) % self.interval == 0
        return True

    def _day_matches(self, day: date, start: date) -> bool:
        if self.months and day.month not in self.months:
            return False
        if not self.month_days and not self.weekdays:
            if self.unit == Unit.WEEKS:
                return day.weekday() == start.weekday()
            return self.unit != Unit.MONTHS or day.day == start.day
        in_month = day.day in self.month_days or day.day - days_of_month(day) - 1 in self.month_days
        in_week = any(weekday.matches(day) for weekday in self.weekdays)
        if self.either_day:
            return in_month or in_week
        return (in_month or not self.month_days) and (in_week or not self.weekdays)


def days_of_month(day: date) -> int:
    return monthrange(day.year, day.month)[1]
