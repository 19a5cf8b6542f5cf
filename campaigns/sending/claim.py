"""Claim a shard: one statement takes the lease, raises the fence and reads the payload. The campaign and the
account are cached for a second."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import NamedTuple

import structlog

from campaigns.lifecycle.fan_out.fanout import MAY_LEAVE
from campaigns.lifecycle.fan_out.waves import is_left_out
from campaigns.models import Campaign, Shard
from campaigns.sending.accepted_log import read_accepted
from campaigns.sending.claimed_shard import ClaimedShard
from campaigns.shard import payload as payloads
from campaigns.shard.outcomes import ShardOutcomes
from notifier import failpoints
from notifier.delivery.accounts import health, registry
from notifier.delivery.infra import bulk
from notifier.delivery.infra.ttl_cache import TtlCache
from notifier.delivery.ledger import leases
from notifier.models import ProviderAccount

log = structlog.get_logger("notifier.campaigns")

#: an edit of a campaign reaches every worker within a second; each chunk reads the campaign's state
_campaigns = TtlCache[uuid.UUID, Campaign](seconds=1.0)


class _ClaimRow(NamedTuple):
    """The columns of _CLAIM."""

    campaign_id: uuid.UUID
    account_id: uuid.UUID
    channel: str
    size: int
    begun: int
    fence: int
    skipped: int
    disconnected: int
    began_at: datetime
    age: float
    not_before: datetime | None
    payload: bytes
    codes: bytes
    delays: bytes
    notes: bytes


_CLAIM = f"""
WITH claimed AS (
  UPDATE campaigns_shard s SET state = 'running', fence = s.fence + 1, worker = %(worker)s,
    began_at = COALESCE(s.began_at, clock_timestamp()), lease_until = now() + make_interval(secs => %(lease)s)
  FROM campaigns_campaign c
  WHERE s.id = %(shard)s AND c.id = s.campaign_id AND c.state = 'running'
    AND {MAY_LEAVE}
    AND (s.state = 'armed' OR (s.state = 'running' AND {leases.expired("s.lease_until", "%(lease)s")}))
  RETURNING s.*
)
SELECT s.campaign_id, s.account_id, s.channel, s.size, s.begun, s.fence, s.skipped, s.disconnected, s.began_at,
       extract(epoch FROM clock_timestamp() - s.began_at)::float8, s.not_before, p.rows, p.outcomes, p.delays, p.notes
FROM claimed s JOIN campaigns_shardpayload p ON p.shard_id = s.id
"""


def claim(shard_id: uuid.UUID, worker: str, now: datetime | None = None) -> ClaimedShard | None:
    """The shard, if it may leave and no other worker holds it. `now`: instead of the database's clock."""
    values = {"worker": worker[:100], "lease": leases.lease_seconds(), "shard": shard_id}
    with bulk.cursor() as cursor:
        cursor.execute(_CLAIM, {**values, "now": now}, binary=True, prepare=True)
        row = cursor.fetchone()
    if row is None:
        return None
    failpoints.reach("shard.after-claim")
    return _claimed_shard(shard_id, _ClaimRow(*row))


def reset() -> None:
    """Forget the cached campaigns."""
    _campaigns.clear()


def _claimed_shard(shard_id: uuid.UUID, row: _ClaimRow) -> ClaimedShard:
    outcomes = ShardOutcomes.unpack(
        row.size, row.begun, row.codes, row.delays, row.notes, unknown_delay=int(row.age * 1000)
    )
    outcomes.skipped, outcomes.disconnected = row.skipped, row.disconnected
    campaign = _campaign(row.campaign_id)
    in_doubt = frozenset(outcomes.unanswered())
    if in_doubt:
        accepted = read_accepted(shard_id, in_doubt)
        outcomes.mark_sent(accepted, int(row.age * 1000))
        in_doubt -= frozenset(accepted)
    account = _account(row.account_id)
    if not in_doubt:  # only its account can hide a repeat
        account = _replaced(account, campaign, shard_id, row.fence)
    return ClaimedShard(
        id=shard_id,
        campaign=campaign,
        account=account,
        channel=row.channel,
        fence=row.fence,
        began_at=row.began_at,
        age=row.age,
        left_out=is_left_out(campaign, row.not_before),
        payload=payloads.unpack(row.payload),
        outcomes=outcomes,
        in_doubt=in_doubt,
    )


def _campaign(pk: uuid.UUID) -> Campaign:
    campaign = _campaigns.get(pk)
    if campaign is None:
        campaign = Campaign.objects.select_related("tenant").get(pk=pk)
        _campaigns.keep(pk, campaign)
    return campaign


def _account(pk: uuid.UUID) -> ProviderAccount:
    account = registry.load_account(pk)
    if account is None:
        raise ProviderAccount.DoesNotExist
    return account


def _replaced(account: ProviderAccount, campaign: Campaign, shard_id: uuid.UUID, fence: int) -> ProviderAccount:
    """Another account for a shard whose account is disabled or has an open circuit; the account itself when there is no
    other."""
    if account.enabled and health.read_weights([account.pk])[account.pk]:
        return account
    fallbacks = registry.fallback_accounts(campaign.tenant, account, campaign.mode)
    if not fallbacks:
        return account
    Shard.objects.filter(pk=shard_id, fence=fence).update(account=fallbacks[0])
    log.warning(
        "shard moved to another account",
        action="send",
        tenant=str(campaign.tenant_id),
        campaign=str(campaign.pk),
        account=str(account.pk),
        to=str(fallbacks[0].pk),
    )
    return fallbacks[0]
