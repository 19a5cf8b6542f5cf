"""The return path of a message (VERP): a bounce comes back to an address that names the message.

    bounces@example.com  ->  bounces+<32 digits of the delivery id><8 digits of a keyed hash>@example.com

The hash is the same for all messages of an account, so that a body template needs no further column for it. The hash
tells our return paths from addresses that look alike; what protects a message is its id, which cannot be guessed. All
digits are hexadecimal, because some servers change the case of an address. RFC 5321 §4.5.3.1.1 allows 64 characters
before the @.
"""

from __future__ import annotations

import hmac
import re
import uuid
from collections.abc import Sequence
from hashlib import blake2b

#: bytes of the keyed hash
_HASH = 4
#: characters of `bounces` in bounces@example.com
LONGEST_LOCAL_PART = 64 - len("+") - 32 - 2 * _HASH
#: a server may quote the address, or write `=` for `+`
_TOKEN = re.compile(rb"[+=]([0-9a-f]{32})([0-9a-f]{%d})(?=@|=40)" % (2 * _HASH), re.IGNORECASE)
#: tokens of one report that are looked at
_MOST_TOKENS = 50


def address_for(bounce_address: str, delivery_id: uuid.UUID, key: bytes) -> str:
    """The return path of one message."""
    local, _, domain = bounce_address.rpartition("@")
    return f"{local}+{delivery_id.hex}{_hash(key)}@{domain}"


def delivery_in(report: bytes, keys: Sequence[bytes]) -> uuid.UUID | None:
    """The delivery that a return path anywhere in `report` names; None without one that was made with one of the
    `keys`."""
    for number, match in enumerate(_TOKEN.finditer(report)):
        if number == _MOST_TOKENS:
            break
        given = match[2].decode().lower()
        if any(hmac.compare_digest(_hash(key), given) for key in keys):
            return uuid.UUID(match[1].decode())
    return None


def _hash(key: bytes) -> str:
    return blake2b(key=key, digest_size=_HASH, person=b"return path").hexdigest()
