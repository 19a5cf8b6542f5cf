"""Lengths of time as callers write them: a whole number and a unit, such as 90s, 10m, 2h or 7d."""

from __future__ import annotations

import re
from datetime import timedelta

from notifier.errors import InvalidInput

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_TEXT = re.compile(r"([0-9]{1,7})([smhd])\Z")


def parse(text: str, field: str, least: timedelta, most: timedelta) -> timedelta:
    """The length of time that `text` says. Raises InvalidInput, naming the field, for any other text and for a length
    outside of the limits."""
    match = _TEXT.match(text)
    if match is None:
        raise InvalidInput("Must be a whole number and s, m, h or d, such as 10m.", field=field)
    length = timedelta(seconds=int(match[1]) * _UNITS[match[2]])
    if not least <= length <= most:
        raise InvalidInput(f"Must be {write(least)} to {write(most)}.", field=field, code="out_of_range")
    return length


def write(length: timedelta) -> str:
    """The shortest text that `parse` reads as this length."""
    seconds = int(length.total_seconds())
    unit = next(unit for unit in "dhms" if seconds % _UNITS[unit] == 0)
    return f"{seconds // _UNITS[unit]}{unit}"
