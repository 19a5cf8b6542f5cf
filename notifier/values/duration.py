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
