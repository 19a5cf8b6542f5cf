"""The key by which a repeat of a push replaces the first one, in the form that each header takes."""

from __future__ import annotations

import re
from hashlib import blake2b

LONGEST_COLLAPSE_ID = 64  #: bytes, by Apple
#: https://www.rfc-editor.org/rfc/rfc8030#section-5.4
_TOPIC = re.compile(r"[A-Za-z0-9_-]{1,32}")


def collapse_id(key: str) -> str:
    """Apple's `apns-collapse-id`: the key, or its digest where Apple would refuse the key."""
    return key if len(key) <= LONGEST_COLLAPSE_ID and key.isascii() and key.isprintable() else _digest(key)


def topic(key: str) -> str:
    """Web Push's `Topic`: the key, or its digest where a push service would refuse the key."""
    return key if _TOPIC.fullmatch(key) else _digest(key)


def _digest(key: str) -> str:
    return blake2b(key.encode(), digest_size=16).hexdigest()
