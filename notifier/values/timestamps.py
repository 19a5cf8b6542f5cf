"""Parse a time stamp in every form of RFC 3339: `T`, `t` or a space after the date, `Z` or `z` at the end."""

from __future__ import annotations

import re
from datetime import datetime
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
