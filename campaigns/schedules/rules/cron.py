"""Reads a cron line of five fields: minute, hour, day of the month, month, day of the week. Pure.

A line with every hour steps in real time, as an hourly RRULE does; any other line follows the wall clock.
"""

from __future__ import annotations

import re

from campaigns.schedules.rules.rule import Rule, Unit, Weekday
from notifier.errors import InvalidInput

FIELD = "cron"
MAX_LENGTH = 200
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
#: the fields in their order: name, least, most, names of values from the least one on
_FIELDS: tuple[tuple[str, int, int, tuple[str, ...]], ...] = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 7, _DAYS),
)
_ITEM = re.compile(r"(\*|[0-9A-Z]+)(?:-([0-9A-Z]+))?(?:/([0-9]{1,3}))?")


def read_cron(line: str) -> Rule:
    """The rule that the line describes. Raises InvalidInput, which names the field of the line."""
    texts = line.upper().split()
    if len(texts) != len(_FIELDS) or len(line) > MAX_LENGTH:
        names = ", ".join(name for name, *_ in _FIELDS)
        raise _error(f"Must have five fields ({names}), such as 0 9 * * 1; this line has {len(texts)}.")
    minutes, hours, month_days, months, weekdays = (_read(text, n) for n, text in enumerate(texts))
    any_month_day, any_weekday = texts[2].startswith("*"), texts[4].startswith("*")
    every_hour = len(hours) == 24
    return Rule(
        unit=Unit.HOURS if every_hour else Unit.DAYS,
        months=frozenset() if len(months) == 12 else months,
        month_days=frozenset() if len(month_days) == 31 else month_days,
        # cron counts from Sunday, which is 0 and 7
        weekdays=frozenset() if len({d % 7 for d in weekdays}) == 7 else frozenset(_weekday(d) for d in weekdays),
        # POSIX: when a line restricts both fields, a day needs to match one of them
        either_day=not any_month_day and not any_weekday,
        hours=() if every_hour else tuple(sorted(hours)),
        minutes=tuple(sorted(minutes)),
    )


def _read(text: str, n: int) -> frozenset[int]:
    return frozenset(number for item in text.split(",") for number in _item(item, n))


def _item(item: str, n: int) -> range:
    name, least, most, _ = _FIELDS[n]
    match = _ITEM.fullmatch(item)
    if match is None or (match[1] == "*" and match[2]):
        raise _error(f"The {name} {item[:40]!r} is not known; write *, 5, 1-5, */10 or a list such as 1,15.")
    step = int(match[3] or 1)
    if match[1] == "*":
        first, last = least, most
    else:
        first = _value(match[1], n)
        # 10/5 is 10-59/5
        last = _value(match[2], n) if match[2] else most if match[3] else first
    if not least <= first <= last <= most or step < 1:
        raise _error(f"The {name} {item[:40]!r} is out of range: {least} to {most}, the smaller one first.")
    return range(first, last + 1, step)


def _value(text: str, n: int) -> int:
    name, least, most, names = _FIELDS[n]
    if text in names:
        return names.index(text) + least
    if not text.isdigit() or len(text) > 3:
        raise _error(f"The {name} {text[:40]!r} is no number from {least} to {most}.")
    return int(text)


def _weekday(day: int) -> Weekday:
    return Weekday((day - 1) % 7)


def _error(message: str) -> InvalidInput:
    return InvalidInput(message, field=FIELD, code="invalid_cron")
