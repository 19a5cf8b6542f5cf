"""The link that shows an email as a page of this site, without a login.

The link names tenant and recipient, and the notification or the campaign of the email. It is encrypted: a recipient can
neither read these names nor make a link to another recipient's email. It ends when the email or the person is erased.
"""

from __future__ import annotations

import uuid
from typing import NamedTuple

from notifier.delivery.content.links.sealed_link import open_token, sealed_url

PATH = "view/"
_PURPOSE = "view in browser link"
_NOTIFICATION, _CAMPAIGN = b"n", b"c"


class BrowserLink(NamedTuple):
    """Exactly one of `notification_id` and `campaign_id` is set."""

    tenant_id: uuid.UUID
    recipient_id: uuid.UUID
    notification_id: uuid.UUID | None = None
    campaign_id: uuid.UUID | None = None


def url_of(link: BrowserLink) -> str:
    """The URL for one recipient's message: 10 µs."""
    source, kind = (link.notification_id, _NOTIFICATION) if link.notification_id else (link.campaign_id, _CAMPAIGN)
    assert source is not None
    return sealed_url(PATH, link.tenant_id, _PURPOSE, kind + link.recipient_id.bytes + source.bytes)


def read_token(token: str) -> BrowserLink | None:
    """What the last part of a link names; None for a token that this site did not make."""
    opened = open_token(token, _PURPOSE)
    if opened is None:
        return None
    tenant_id, plain = opened
    recipient_id, source = uuid.UUID(bytes=plain[1:17]), uuid.UUID(bytes=plain[17:])
    if plain[:1] == _CAMPAIGN:
        return BrowserLink(tenant_id, recipient_id, campaign_id=source)
    return BrowserLink(tenant_id, recipient_id, notification_id=source)
