"""The channel's message of a ledger row: its envelope, its attachments, and its tracked links."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from notifier.channels import channel
from notifier.channels.base import UNREAD, Envelope, Message
from notifier.delivery.accounts import registry
from notifier.delivery.content.attachments.storage import attachments_of
from notifier.delivery.content.links.unsubscribe_link import OptOut, link_to
from notifier.delivery.content.tracking.tracked_html import tracking_of, with_tracking
from notifier.delivery.content.unread_counts import unread_counts
from notifier.delivery.ledger.claims import Claimed
from notifier.providers import provider_class
from notifier.vocabulary.content import Tracking
from notifier.vocabulary.status import SILENT, Lane


def unread_of(rows: Sequence[Claimed]) -> Mapping[uuid.UUID, int]:
    """The unread messages in the inbox of each recipient whose message carries their number, by one query; empty where
    no message does. Rows of one account. 0.05 µs a row without it."""
    part = channel(rows[0].channel).unread_part if rows else ""
    recipients = [row.recipient_id for row in rows if row.content.get(part) == UNREAD] if part else []
    if not recipients:
        return {}
    return dict(zip(recipients, unread_counts(rows[0].tenant_id, recipients), strict=True))


def message_of(row: Claimed, unread: Mapping[uuid.UUID, int]) -> Message:
    """The channel's message of one ledger row. `unread`: as `unread_of` counted."""
    envelope, content = envelope_of(row), row.content
    if unread and row.recipient_id in unread and content.get(part := channel(row.channel).unread_part) == UNREAD:
        content = {**content, part: str(unread[row.recipient_id])}
    if is_tracked(row):
        content = with_tracking(row.channel, content, envelope)
    return message_with(row.channel, envelope, content)


def is_tracked(row: Claimed) -> bool:
    """Whether the site puts its pixel and its links into the message. 0.2 µs for a channel without HTML, 0.7 for a
    tenant that tracks nothing."""
    if not channel(row.channel).html_parts or tracking_of(row.tenant_id) is Tracking.OFF:
        return False
    account = registry.load_account(row.account_id)
    return account is not None and provider_class(account.provider).needs_tracking


def message_with(channel_name: str, envelope: Envelope, content: Mapping[str, Any]) -> Message:
    """The channel's message of rendered content, whose lists of files become attachments."""
    kind = channel(channel_name)
    for part in kind.file_parts:
        if part in content:
            content = {**content, part: attachments_of(envelope.tenant_id, content[part])}
    return kind.message(envelope, content)


#: campaign, channel -> a function from an address to the collapse key of the message that is replaced; None where the
#: campaign replaces nothing
ReplacedKeys = Callable[[uuid.UUID, str], Callable[[str], str] | None]


def _replace_nothing(campaign_id: uuid.UUID, channel_name: str) -> None:
    return None


_replaced_keys: ReplacedKeys = _replace_nothing


def register_replaced_keys(find: ReplacedKeys) -> None:
    """Campaigns register where the collapse keys of corrections come from."""
    global _replaced_keys
    _replaced_keys = find


def replaced_keys(campaign_id: uuid.UUID | None, channel_name: str) -> Callable[[str], str] | None:
    """The collapse keys of a campaign that corrects another one; None for all other messages."""
    return None if campaign_id is None else _replaced_keys(campaign_id, channel_name)


def envelope_of(row: Claimed) -> Envelope:
    """The envelope of a ledger row's message. The collapse key has no hyphens, so that it fits into Web Push's Topic of
    32 characters."""
    keys = replaced_keys(row.campaign_id, row.channel)
    return Envelope(
        delivery_id=row.id,
        tenant_id=row.tenant_id,
        recipient_id=row.recipient_id,
        address=row.address,
        collapse_key=row.id.hex if keys is None else keys(row.address.value),
        category=row.category,
        campaign_id=row.campaign_id,
        expires_in=expires_in(row.not_after),
        urgent=row.lane != Lane.BULK,
        unsubscribe_url=_unsubscribe_url(row),
        rehearsal=row.mode == SILENT,
    )


def _unsubscribe_url(row: Claimed) -> str:
    if row.lane != Lane.BULK or not row.category or not channel(row.channel).carries_unsubscribe_url:
        return ""
    return link_to(OptOut(row.tenant_id, row.recipient_id, row.channel, row.category))


def expires_in(not_after: datetime | None) -> int | None:
    """Seconds until a message is stale; None: never."""
    return None if not_after is None else max(0, int((not_after - datetime.now(UTC)).total_seconds()))
