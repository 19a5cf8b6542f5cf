"""Reads an RRULE of RFC 5545: the part of it that schedules know. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, time
from typing import Any

from campaigns.schedules.rules.rule import Rule, Unit, Weekday
from notifier.errors import InvalidInput

FIELD = "rrule"
MAX_LENGTH = 500
#: more slots are counted than a sweep should generate again and again; UNTIL has no such limit
MAX_COUNT = 1_000
#: the closest that two slots may lie
LEAST_MINUTES = 15
#: an UNTIL beyond these says the same, and 99991231 in New York has no time in UTC
_EARLIEST, _LATEST = datetime(1900, 1, 1), datetime(9000, 1, 1)
_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_WEEKDAY = re.compile(rf"([+-]?[1-5])?({'|'.join(_DAYS)})")
_PARTS = ("FREQ", "INTERVAL", "BYDAY", "BYMONTHDAY", "BYMONTH", "BYHOUR", "BYMINUTE", "COUNT", "UNTIL")


def read_rrule(text: str) -> Rule:
    """The rule that `text` describes. Raises InvalidInput, which names the part."""
    parts = _parts(text)
    unit = _unit(parts.pop("FREQ", ""))
    values: dict[str, Any] = {}
    for name, value in parts.items():
        column, read = _READERS[name]
        values[column] = read(name, value)
    rule = Rule(unit=unit, **values)
    _check_combination(rule)
    return rule


def _parts(text: str) -> dict[str, str]:
    if len(text) > MAX_LENGTH:
        raise _error(f"Must have at most {MAX_LENGTH} characters.")
    parts: dict[str, str] = {}
    for part in text.strip().upper().removeprefix("RRULE:").rstrip(";").split(";"):
        name, equals, value = part.partition("=")
        if name not in _PARTS:
            raise _error(f"Unknown part {name[:40]!r}; known: {', '.join(_PARTS)}.")
        if not equals or not value:
            raise _error(f"{name} has no value.")
        if name in parts:
            raise _error(f"{name} stands twice.")
        parts[name] = value
    return parts


def _unit(value: str) -> Unit:
    if value == "YEARLY":
        raise _error("FREQ=YEARLY is not known; write FREQ=MONTHLY with BYMONTH, such as BYMONTH=1 for January.")
    if value not in [unit.value for unit in Unit]:
        raise _error(f"FREQ must be one of: {', '.join(unit.value for unit in Unit)}.")
    return Unit(value)


def _numbers(least: int, most: int, *, negative: bool = False) -> Callable[[str, str], list[int]]:
    def read(name: str, value: str) -> list[int]:
        numbers = [_number(name, item) for item in value.split(",")]
        for number in numbers:
            if not least <= (abs(number) if negative else number) <= most:
                also = f", or {-most} to -1" if negative else ""
                raise _error(f"{name} takes numbers from {least} to {most}{also}.")
        return sorted(set(numbers))

    return read


def _number(name: str, text: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]{1,6}", text):
        raise _error(f"{name}: {text[:40]!r} is no whole number.")
    return int(text)


def _one(least: int, most: int) -> Callable[[str, str], int]:
    def read(name: str, value: str) -> int:
        number = _number(name, value)
        if not least <= number <= most:
            raise _error(f"{name} must be from {least} to {most:,}.")
        return number

    return read


def _weekdays(name: str, value: str) -> frozenset[Weekday]:
    matches = [_WEEKDAY.fullmatch(item) for item in value.split(",")]
    if not all(matches):
        raise _error("BYDAY takes days such as MO, 2TU (the second Tuesday of a month) or -1FR (the last Friday).")
    return frozenset(Weekday(_DAYS.index(match[2]), int(match[1] or 0)) for match in matches if match)


def _until(name: str, value: str) -> datetime:
    """A time of the schedule's zone, or of UTC with a Z. A date lasts to its end."""
    for form in ("%Y%m%dT%H%M%SZ", "%Y%m%dT%H%M%S", "%Y%m%d"):
        try:
            moment = datetime.strptime(value, form)
        except ValueError:
            continue
        moment = min(max(moment if "T" in form else datetime.combine(moment, time(23, 59)), _EARLIEST), _LATEST)
        return moment.replace(tzinfo=UTC) if form.endswith("Z") else moment
    raise _error("UNTIL must be such as 20301231T180000 (of the schedule's time zone), 20301231T170000Z or 20301231.")


def _check_combination(rule: Rule) -> None:
    if rule.unit == Unit.MINUTES and rule.interval < LEAST_MINUTES:
        raise _error(f"FREQ=MINUTELY needs an INTERVAL of at least {LEAST_MINUTES}.")
    if rule.count is not None and rule.until is not None:
        raise _error("COUNT and UNTIL both say where the rule ends; give one of them.")
    if rule.unit != Unit.MONTHS and any(weekday.nth for weekday in rule.weekdays):
        raise _error("BYDAY with a number, such as 2TU, needs FREQ=MONTHLY.")
    if rule.unit == Unit.WEEKS and rule.month_days:
        raise _error("BYMONTHDAY does not go with FREQ=WEEKLY.")


def _error(message: str) -> InvalidInput:
    return InvalidInput(message, field=FIELD, code="invalid_rrule")


def _as_set(read: Callable[[str, str], list[int]]) -> Callable[[str, str], frozenset[int]]:
    return lambda name, value: frozenset(read(name, value))


def _as_tuple(read: Callable[[str, str], list[int]]) -> Callable[[str, str], tuple[int, ...]]:
    return lambda name, value: tuple(read(name, value))


#: part -> (column of Rule, how to read it)
_READERS: dict[str, tuple[str, Callable[[str, str], Any]]] = {
    "INTERVAL": ("interval", _one(1, 100_000)),
    "BYDAY": ("weekdays", _weekdays),
    "BYMONTHDAY": ("month_days", _as_set(_numbers(1, 31, negative=True))),
    "BYMONTH": ("months", _as_set(_numbers(1, 12))),
    "BYHOUR": ("hours", _as_tuple(_numbers(0, 23))),
    "BYMINUTE": ("minutes", _as_tuple(_numbers(0, 59))),
    "COUNT": ("count", _one(1, MAX_COUNT)),
    "UNTIL": ("until", _until),
}
