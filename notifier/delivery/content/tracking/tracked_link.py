"""Addresses by which we see that an email was opened and which of its links was clicked.

    {SITE_URL}/c/<token>/<delivery id>     leads on to a link of the email
    {SITE_URL}/o/<token>/<delivery id>     an image of one pixel
    {SITE_URL}/c/<token>, /o/<token>       the same for a tenant that counts without persons

The token is signed: tenant, campaign (where only the campaign is counted) and the link's URL. So the redirect leads
only where an email of this site pointed, and the token is the same in all emails with the same content: a body template
holds it as constant text. The token is valid as long as a key that signed it is configured (ENCRYPTION_KEYS).
"""

from __future__ import annotations

import base64
import binascii
import hmac
import uuid
from hashlib import blake2b
from typing import NamedTuple

from notifier.encryption import signing_keys

CLICK, OPEN = "c/", "o/"
#: characters of a link's URL; a longer link is not tracked, because mail clients cut long addresses
LONGEST_URL = 2_000
_PURPOSE = "tracked link"
_OF_DELIVERY, _OF_CAMPAIGN = 1, 2
_ID, _HASH = 16, 12


class TrackedLink(NamedTuple):
    """`url`: empty for the pixel. `campaign_id`: the link counts for this campaign, and for no person."""

    tenant_id: uuid.UUID
    url: str
    campaign_id: uuid.UUID | None = None


def token_of(link: TrackedLink, key: bytes) -> str:
    """The token, signed with the tenant's newest key (`keys_of`)."""
    kind = _OF_DELIVERY if link.campaign_id is None else _OF_CAMPAIGN
    campaign = link.campaign_id.bytes if link.campaign_id else b""
    plain = bytes([kind]) + link.tenant_id.bytes + campaign + link.url.encode()
    return base64.urlsafe_b64encode(_hash(plain, key) + plain).decode().rstrip("=")


def read_token(token: str) -> TrackedLink | None:
    """None for a token that this site did not make."""
    try:
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        given, plain = raw[:_HASH], raw[_HASH:]
        kind, tenant_id = plain[0], uuid.UUID(bytes=plain[1 : 1 + _ID])
    except (ValueError, IndexError, binascii.Error):
        return None
    if not any(hmac.compare_digest(_hash(plain, key), given) for key in keys_of(tenant_id)):
        return None
    url = 1 + _ID + (_ID if kind == _OF_CAMPAIGN else 0)
    campaign_id = uuid.UUID(bytes=plain[1 + _ID : url]) if kind == _OF_CAMPAIGN else None
    return TrackedLink(tenant_id, plain[url:].decode(), campaign_id)


def keys_of(tenant_id: uuid.UUID) -> tuple[bytes, ...]:
    """The keys that sign a tenant's links, newest first."""
    return signing_keys(tenant_id, _PURPOSE)


def _hash(plain: bytes, key: bytes) -> bytes:
    return blake2b(plain, key=key, digest_size=_HASH, person=_PURPOSE.encode()).digest()
