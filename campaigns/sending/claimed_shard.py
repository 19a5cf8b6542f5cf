"""A claimed shard: everything that one worker needs in memory to send it."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from campaigns.models import Campaign
from campaigns.shard.outcomes import MAX_DELAY_MS, ShardOutcomes
from campaigns.shard.payload import Payload
from notifier.delivery.ledger.claims import Claimed
from notifier.models import ProviderAccount
from notifier.tracing.spans import Opened
from notifier.vocabulary.status import Lane


@dataclass
class ClaimedShard:
    """A shard that this process holds. The process may write the shard only while `fence` is the shard's."""

    id: uuid.UUID
    campaign: Campaign
    account: ProviderAccount
    channel: str
    fence: int
    #: when the shard began, and the seconds since then, by the database's clock
    began_at: datetime
    age: float
    payload: Payload
    outcomes: ShardOutcomes
    #: messages whose earlier attempt got no answer, because the worker was lost
    in_doubt: frozenset[int] = frozenset()
    #: GO came after the local time of these recipients, and the campaign leaves such recipients out
    left_out: bool = False
    #: this turn in a trace, if it is recorded
    trace: Opened | None = None
    _began: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self._began -= self.age

    def delay(self) -> int:
        """Milliseconds since the shard began."""
        return min(MAX_DELAY_MS, int((time.monotonic() - self._began) * 1000))

    def delay_at(self, at: datetime) -> int:
        """The delay at that moment, never later than it; negative before the shard began."""
        return (at - self.began_at) // timedelta(milliseconds=1)

    @property
    def mode(self) -> str:
        return self.campaign.message_mode

    def ledger_row(self, i: int, asked_delay: int | None = None) -> Claimed:
        """Message i as a claimed row of the ledger, for the engine's functions. `asked_delay`: the delay at which the
        transport got the message; None: now."""
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
            asked_at=self.began_at + timedelta(milliseconds=self.delay() if asked_delay is None else asked_delay),
        )
