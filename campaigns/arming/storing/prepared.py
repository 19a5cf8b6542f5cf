"""Bodies that are made while a campaign is armed, for accounts whose provider asks for it (`Provider.prepares`).

Web Push encrypts each message for its browser: 125 µs, five times what a message costs an armed campaign otherwise. The
workers of the queue `batch` do it before GO, over all cores, and the sender only reads the body.
"""

from __future__ import annotations

from base64 import b64encode

from campaigns.models import Campaign
from campaigns.shard.payload import Payload
from notifier.channels import channel
from notifier.channels.base import UNREAD
from notifier.delivery.accounts import registry
from notifier.delivery.ledger.claims import Claimed
from notifier.delivery.messages import message_of
from notifier.errors import NotifierError
from notifier.models import ProviderAccount
from notifier.providers import provider_class
from notifier.vocabulary.status import Lane


def prepared_bodies(campaign: Campaign, account: ProviderAccount, channel_name: str, payload: Payload) -> list[str]:
    """The body of each message in base64; empty texts for messages whose body the sender makes, and an empty list when
    it makes all of them: the provider prepares nothing, or the campaign only rehearses."""
    if not provider_class(account.provider).prepares or campaign.silent:
        return []
    try:
        provider = registry.provider_for(account)
    except (NotifierError, ValueError):
        return []  # the sender records what is wrong with the account's settings
    unread_part = channel(channel_name).unread_part
    bodies: list[str] = []
    for i in range(len(payload)):
        row = _ledger_row(campaign, account, channel_name, payload, i)
        if row.content.get(unread_part) == UNREAD:  # counted when the message leaves
            bodies.append("")
            continue
        try:
            bodies.append(b64encode(provider.prepare(message_of(row, {}))).decode())
        except (ValueError, TypeError, KeyError):
            bodies.append("")  # the sender records why the message makes no request
    return bodies


def _ledger_row(campaign: Campaign, account: ProviderAccount, channel_name: str, payload: Payload, i: int) -> Claimed:
    """Message i as the sender will have it (campaigns.sending.claimed_shard)."""
    assert campaign.armed_at is not None
    return Claimed(
        id=payload.id(i),
        tenant_id=campaign.tenant_id,
        recipient_id=payload.recipient(i),
        account_id=account.pk,
        channel=channel_name,
        address=payload.address(i),
        lane=Lane.BULK,
        mode=campaign.mode,
        content=payload.content(i),
        attempt=0,
        fence=0,
        accepted_at=campaign.armed_at,
        not_after=campaign.not_after,
        campaign_id=campaign.pk,
        category=campaign.category,
    )
