"""Secrets and signatures as Standard Webhooks has them: HMAC-SHA256 over `id.timestamp.body`. Pure but for the random
secret."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import uuid
from collections.abc import Iterable, Mapping

PREFIX = "whsec_"
_BYTES = 32


def new_secret() -> str:
    """A secret as the receiver's library takes it."""
    return PREFIX + base64.b64encode(os.urandom(_BYTES)).decode()


def key_of(secret: str) -> bytes:
    """The key of a secret. Raises ValueError."""
    try:
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        raise ValueError("not a secret of Standard Webhooks") from None


def message_id(pk: uuid.UUID) -> str:
    """The `webhook-id`. It never changes, so the receiver knows a repeat by it."""
    return f"msg_{pk.hex}"


def signed_headers(pk: uuid.UUID, timestamp: int, body: bytes, secrets: Iterable[str]) -> Mapping[str, str]:
    """A signature for each secret, the newest first."""
    signed = f"{message_id(pk)}.{timestamp}.".encode() + body
    digests = (hmac.new(key_of(secret), signed, hashlib.sha256).digest() for secret in secrets)
    return {
        "webhook-id": message_id(pk),
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests),
    }
