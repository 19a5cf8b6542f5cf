"""Times as texts. Time stamps are parsed in every form of RFC 3339: `T`, `t` or a space after the date, `Z` or `z` at
the end."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

#: nanoseconds and an offset, with room to spare
_LONGEST = 40
_ZULU = re.compile(r"(?<=\d)[Zz]\Z")


def parse(value: Any) -> datetime | None:
    """The time, without a zone if the text has none. None if the value is no time stamp."""
    if not isinstance(value, str) or len(value) > _LONGEST:
        return None
    # Python 3.11 accepts only the capital letter, and accepts `zZ`
    text = _ZULU.sub("+00:00", value)
    try:
        return None if "z" in text.lower() else datetime.fromisoformat(text)
    except ValueError:
        return None


def utc_minute(at: datetime) -> str:
    """For people, where no zone of a reader is known: `2030-01-31 09:00 UTC`. `at` is aware."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def clock_text(minute: int) -> str:
    """`08:30` for a minute of the day, 0 to 1440."""
    return f"{minute // 60:02}:{minute % 60:02}"
