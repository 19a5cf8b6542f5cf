"""The slots of several schedules in a month, for the calendar."""

from __future__ import annotations

from calendar import Calendar
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from campaigns.models import Schedule
from campaigns.schedules.rules.slots import instant
from campaigns.schedules.upcoming import between

#: times of one schedule that a day lists; the others are counted
LISTED = 3


@dataclass
class Entry:
    """The slots of one schedule on one day: (time, state) of the first ones, and how many more there are."""

    schedule: Schedule
    slots: list[tuple[datetime, str]] = field(default_factory=list)
    more: int = 0


@dataclass(frozen=True)
class Day:
    day: date
    in_month: bool
    entries: list[Entry]


def weeks(month: date, schedules: Iterable[Schedule], zone: ZoneInfo) -> list[list[Day]]:
    """The weeks of the month from Monday on, with the slots of each day as a clock of `zone` shows them."""
    days = list(Calendar().itermonthdates(month.year, month.month))
    start, end = (instant(datetime.combine(d, time()), zone) for d in (days[0], days[-1] + timedelta(days=1)))
    entries = _entries(schedules, start - timedelta(microseconds=1), end - timedelta(microseconds=1), zone)
    shown = [Day(day, day.month == month.month, entries.get(day, [])) for day in days]
    return [shown[n : n + 7] for n in range(0, len(shown), 7)]


def _entries(schedules: Iterable[Schedule], start: datetime, end: datetime, zone: ZoneInfo) -> dict[date, list[Entry]]:
    by_day: defaultdict[date, list[Entry]] = defaultdict(list)
    for schedule in schedules:
        of_schedule: dict[date, Entry] = {}
        for at, state in between(schedule, start, end):
            local = at.astimezone(zone)
            entry = of_schedule.setdefault(local.date(), Entry(schedule))
            if len(entry.slots) < LISTED:
                entry.slots.append((local, state))
            else:
                entry.more += 1
        for day, entry in of_schedule.items():
            by_day[day].append(entry)
    for listed in by_day.values():
        listed.sort(key=lambda entry: entry.slots[0][0])
    return by_day


def month_of(text: str, today: date) -> date:
    """The first day of a month such as 2030-01; of today's month for any other text."""
    try:
        month = datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC).date()
    except ValueError:
        return today.replace(day=1)
    return month if 2000 <= month.year <= 9000 else today.replace(day=1)
