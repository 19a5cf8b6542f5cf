"""Take a shard under a lease and a fence, with everything that sending it needs, in one statement; its campaign and
account are kept for a second."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from campaigns.lifecycle.fanout import MAY_LEAVE
from campaigns.models import Campaign
from campaigns.shard import payload as payloads
from campaigns.shard.outcomes import MAX_DELAY_MS, ShardOutcomes
from campaigns.shard.payload import Payload
from notifier.delivery.accounts import registry
from notifier.delivery.infra import bulk
from notifier.delivery.infra.ttl_cache import TtlCache
from notifier.delivery.ledger import leases
from notifier.delivery.ledger.claims import Claimed
from notifier.models import ProviderAccount
from notifier.vocabulary.status import SILENT, Lane

#: what is edited of a campaign reaches everybody within a second; its state is looked at with every chunk
_campaigns = TtlCache[uuid.UUID, Campaign](seconds=1.0)

_CLAIM = f"""
WITH mine AS (
  UPDATE campaigns_shard s SET state = 'running', fence = s.fence + 1, worker = %s,
    began_at = COALESCE(s.began_at, clock_timestamp()), lease_until = now() + make_interval(secs => %s)
  FROM campaigns_campaign c
  WHERE s.id = %s AND c.id = s.campaign_id AND c.state = 'running'
    AND {MAY_LEAVE}
    AND (s.state = 'armed' OR (s.state = 'running' AND {leases.expired("s.lease_until", "%s")}))
  RETURNING s.id, s.campaign_id, s.account_id, s.channel, s.size, s.begun, s.fence, s.skipped, s.disconnected,
            s.began_at, extract(epoch FROM clock_timestamp() - s.began_at)::float8 AS age
)
SELECT m.campaign_id, m.account_id, m.channel, m.size, m.begun, m.fence, m.age, m.skipped, m.disconnected,
       m.began_at, p.rows, p.outcomes, p.delays, p.notes
FROM mine m JOIN campaigns_shardpayload p ON p.shard_id = m.id
"""


@dataclass
class ClaimedShard:
    """A shard in this process's hands."""

    id: uuid.UUID
    campaign: Campaign
    account: ProviderAccount
    channel: str
    fence: int
    #: when the shard began, and the seconds since then, by the database's clock
    began_at: datetime
    age: float
    payload: Payload
    record: ShardOutcomes
    #: messages whose earlier attempt got no answer: the holder was lost
    in_doubt: frozenset[int] = frozenset()
    _began: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self._began -= self.age

    def delay(self) -> int:
        """Milliseconds since the shard began."""
        return min(MAX_DELAY_MS, int((time.monotonic() - self._began) * 1000))

    def delay_at(self, at: datetime) -> int:
        """The delay at that moment; negative before the shard began."""
        return int((at - self.began_at) / timedelta(milliseconds=1))

    @property
    def mode(self) -> str:
        return SILENT if self.campaign.silent else self.campaign.mode

    def row(self, i: int, asked: int | None = None) -> Claimed:
        """Message i as a row of the engine, for everything out of the ordinary. `asked`: its `delay` when it was
        given to the transport; now, if not said."""
        campaign = self.campaign
        assert campaign.armed_at is not None
        return Claimed(
            id=self.payload.id(i),
            tenant_id=campaign.tenant_id,
            recipient_id=self.payload.recipient(i),
            account_id=self.account.id,
            channel=self.channel,
            address=self.payload.address(i),
            lane=Lane.BULK,
            mode=self.mode,
            content=self.payload.content(i),
            attempt=0,
            fence=self.fence,
            accepted_at=campaign.armed_at,
            not_after=campaign.not_after,
            campaign_id=campaign.pk,
            category=campaign.category,
            in_shard=True,
            in_doubt=i in self.in_doubt,
            asked_at=self.began_at + timedelta(milliseconds=self.delay() if asked is None else asked),
        )


def claim(shard_id: uuid.UUID, worker: str) -> ClaimedShard | None:
    """The shard, if it may leave and nobody holds it."""
    lease = leases.lease_seconds()
    with bulk.cursor() as cursor:
        cursor.execute(_CLAIM, [worker[:100], lease, shard_id, lease], binary=True, prepare=True)
        row = cursor.fetchone()
    return _claimed_shard(shard_id, row) if row else None


def _claimed_shard(shard_id: uuid.UUID, row: Sequence[Any]) -> ClaimedShard:
    campaign_id, account_id, channel, size, begun, fence, age, skipped, disconnected, began_at, rows, *kept = row
    record = ShardOutcomes.of(size, begun, *kept, late=int(age * 1000))
    record.skipped, record.disconnected = skipped, disconnected
    return ClaimedShard(
        shard_id, _campaign(campaign_id), _account(account_id), channel, fence, began_at, age,
        payloads.unpack(rows), record, frozenset(record.open()),
    )  # fmt: skip


def _campaign(pk: uuid.UUID) -> Campaign:
    found = _campaigns.get(pk)
    if found is None:
        found = Campaign.objects.select_related("tenant").get(pk=pk)
        _campaigns.keep(pk, found)
    return found


def _account(pk: uuid.UUID) -> ProviderAccount:
    found = registry.by_id(pk)
    if found is None:
        raise ProviderAccount.DoesNotExist
    return found
