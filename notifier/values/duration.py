"""Durations as texts: a whole number and a unit, such as `30s`, `10m`, `2h` or `7d`."""

from __future__ import annotations

import re
from datetime import timedelta

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_TEXT = re.compile(r"([1-9][0-9]{0,8})([smhd])")


def parse_duration(text: object) -> timedelta | None:
    """The duration that the text names; None for any other value."""
    match = _TEXT.fullmatch(text) if isinstance(text, str) else None
    return None if match is None else timedelta(seconds=int(match[1]) * _UNITS[match[2]])


def write_duration(length: timedelta) -> str:
    """The shortest text that `parse_duration` reads as this length."""
    seconds = int(length.total_seconds())
    unit = next(unit for unit in "dhms" if seconds % _UNITS[unit] == 0)
    return f"{seconds // _UNITS[unit]}{unit}"
