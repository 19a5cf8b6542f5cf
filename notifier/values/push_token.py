"""What a push token of any platform looks like, whatever else its provider checks."""

from __future__ import annotations

import re

#: the most characters of a stored token, and of the name of a platform
MAX_TOKEN, MAX_PLATFORM = 1024, 16
_TOKEN = re.compile(rf"[\x21-\x7e]{{8,{MAX_TOKEN}}}")


def is_push_token(text: str) -> bool:
    """8 to 1024 visible ASCII characters."""
    return _TOKEN.fullmatch(text) is not None
