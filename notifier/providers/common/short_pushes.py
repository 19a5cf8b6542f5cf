"""Pushes that are too short for any server's limit, so that their exact size need not be computed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: 450 characters have 3,600 bytes at most: FCM counts the four bytes of a character of an image's address twice, and
#: JSON writes a control character as six. A provider adds fewer than 400 bytes; FCM and APNs take 4,096
_CHARACTERS = 450


def is_short(parts: Mapping[str, Any]) -> bool:
    """Whether a push with these parts has fewer than 4,096 bytes on every server. 0.6 µs; the exact sizes for FCM and
    APNs take 10 µs together."""
    left = _CHARACTERS
    for value in parts.values():
        if isinstance(value, str):
            left -= len(value)
        else:
            left -= sum([len(name) + len(text) for name, text in value.items()])
    return left >= 0
