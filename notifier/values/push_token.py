"""What a push token of any platform looks like: one rule for devices and for suppressed addresses."""

from __future__ import annotations

import re

_TOKEN = re.compile(r"[\x21-\x7e]{8,1024}")


def is_push_token(text: str) -> bool:
    """8 to 1024 visible ASCII characters."""
    return _TOKEN.fullmatch(text) is not None
