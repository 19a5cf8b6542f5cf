"""The values of the variables `unsubscribe_url`, `preferences_url` and `view_in_browser_url` for one message."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import NamedTuple

from django.conf import settings

from notifier.delivery.content.links import browser_link, preferences_link, unsubscribe_link
from notifier.delivery.content.links.browser_link import BrowserLink
from notifier.delivery.content.links.preferences_link import PreferencesLink
from notifier.delivery.content.links.unsubscribe_link import OptOut
from notifier.vocabulary.content import BROWSER_URL, LINKS, PREFERENCES_URL, UNSUBSCRIBE_URL
from notifier.vocabulary.status import Kind


class LinkedMessage(NamedTuple):
    """The message that holds the links. `category`: of a marketing message, else empty. One of `notification_id` and
    `campaign_id` is set."""

    tenant_id: uuid.UUID
    recipient_id: uuid.UUID
    channel: str
    category: str
    ends_at: datetime  #: of the link to the preferences
    notification_id: uuid.UUID | None = None
    campaign_id: uuid.UUID | None = None


def category_to_leave(kind: Kind, category: str) -> str:
    """The category that the link `unsubscribe_url` of a message opts out of. Empty for a message that is not marketing:
    its link leads to the preferences, because one click must not end the mails of an order."""
    return category if kind == Kind.MARKETING else ""


def link_values(names: Collection[str], message: LinkedMessage) -> dict[str, str]:
    """The values of these variables (LINKS). 8 µs a link, of which AES-GCM with its random nonce takes 4."""
    values: dict[str, str] = {}
    if UNSUBSCRIBE_URL in names and message.category:
        values[UNSUBSCRIBE_URL] = unsubscribe_link.link_to(
            OptOut(message.tenant_id, message.recipient_id, message.channel, message.category)
        )
    if PREFERENCES_URL in names or (UNSUBSCRIBE_URL in names and not message.category):
        url = preferences_link.url_of(PreferencesLink(message.tenant_id, message.recipient_id, message.ends_at))
        values[PREFERENCES_URL] = url
        values.setdefault(UNSUBSCRIBE_URL, url)
    if BROWSER_URL in names:
        values[BROWSER_URL] = browser_link.url_of(
            BrowserLink(message.tenant_id, message.recipient_id, message.notification_id, message.campaign_id)
        )
    return values


def sample_links() -> Mapping[str, str]:
    """The links of a preview: they look as those of a message, and open nothing, so that a click in a preview opts
    nobody out."""
    return {name: f"{settings.SITE_URL}/{_PATHS[name]}preview" for name in LINKS}


_PATHS = {
    UNSUBSCRIBE_URL: unsubscribe_link.PATH,
    PREFERENCES_URL: preferences_link.PATH,
    BROWSER_URL: browser_link.PATH,
}
