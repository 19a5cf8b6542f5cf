"""The link to a recipient's own preferences, without a login.

The link names tenant and recipient, and when it ends. It is encrypted: a recipient can neither read these names nor
make a link for another recipient.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from notifier.delivery.content.links.sealed_link import open_token, sealed_url

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


def end_of_link(begin: datetime) -> datetime:
    """When the link of a message ends that leaves at `begin`, at the latest."""
    return (begin + LIFE).replace(microsecond=0)


def new_link(tenant_id: uuid.UUID, recipient_id: uuid.UUID) -> PreferencesLink:
    """A link that ends in LIFE."""
    return PreferencesLink(tenant_id, recipient_id, end_of_link(datetime.now(UTC)))


def url_of(link: PreferencesLink) -> str:
    plain = link.recipient_id.bytes + int(link.ends_at.timestamp()).to_bytes(_SECONDS)
    return sealed_url(PATH, link.tenant_id, _PURPOSE, plain)


def read_token(token: str) -> PreferencesLink | None:
    """What the last part of a link names, also of a link that has ended; None for a token that this site did not
    make."""
    opened = open_token(token, _PURPOSE)
    if opened is None:
        return None
    tenant_id, plain = opened
    ends_at = datetime.fromtimestamp(int.from_bytes(plain[16:]), UTC)
    return PreferencesLink(tenant_id, uuid.UUID(bytes=plain[:16]), ends_at)
