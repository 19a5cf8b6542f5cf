"""The last check before a chunk leaves: consent that changed since arming, closed hours, `not_after`, the recipients'
local time, the account, frequency caps."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cached_property

from campaigns.sending.cap_check import CapCheck
from campaigns.sending.claimed_shard import ClaimedShard
from notifier.delivery.accounts import registry
from notifier.delivery.ledger.settle import Outcome
from notifier.delivery.planning.closed_hours import Hold, find_end
from notifier.delivery.planning.consent_changes import OVERLAP, Unseen, few_unseen, unseen_of
from notifier.delivery.recheck import plan_again, postpone
from notifier.delivery.send import reroute
from notifier.vocabulary.status import Reason, Status

#: seconds for which consent changes are cached: an opt-out that was committed a second before a request is written must
#: hold
CONSENT_CACHE_SECONDS = 0.5


class Recheck:
    """The checks of one shard. Consent changes are read for the whole shard, which costs as much as for one chunk."""

    def __init__(self, claimed: ClaimedShard, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._claimed, self._clock = claimed, clock
        self._read_at = 0.0
        self._changed: frozenset[int] = frozenset()
        self._cap_check = CapCheck(claimed)

    def refusals(self, rows: Sequence[int]) -> dict[int, Outcome]:
        """Message -> why the message does not leave now. Messages without an entry may leave."""
        claimed, now = self._claimed, self._clock()
        if claimed.campaign.not_after is not None and claimed.campaign.not_after <= now:
            return {i: Outcome(claimed.ledger_row(i), Status.EXPIRED, Reason.NOT_AFTER) for i in rows}
        if claimed.left_out:
            self._cap_check.give_back(rows)
            return {i: Outcome(claimed.ledger_row(i), Status.SUPPRESSED, Reason.LOCAL_TIME_PASSED) for i in rows}
        account = registry.load_account(claimed.account.id)
        if account is None or not account.enabled:
            return dict(zip(rows, reroute([claimed.ledger_row(i) for i in rows]), strict=True))
        self._read_changes()
        refused = {**self._in_closed_hours(rows, now), **self._refused_anew(rows, now)}
        return self._cap_check.add_refusals(rows, refused, now)

    def _refused_anew(self, rows: Sequence[int], now: datetime) -> dict[int, Outcome]:
        """Plans the messages with changed consent again, closed hours included."""
        if not self._changed:
            return {}
        changed = {i: self._claimed.ledger_row(i) for i in rows if i in self._changed}
        outcomes = {outcome.row.id: outcome for outcome in plan_again(list(changed.values()), now)}
        return {i: outcomes[row.id] for i, row in changed.items() if row.id in outcomes}

    def _read_changes(self) -> None:
        if time.monotonic() - self._read_at < CONSENT_CACHE_SECONDS:
            return
        payload, campaign, unseen = self._claimed.payload, self._claimed.campaign, self._unseen
        self._read_at = time.monotonic()
        changes = few_unseen(campaign.tenant_id, unseen)
        if changes is None:
            all_recipients = [payload.recipient(i) for i in range(len(payload))]
            changes = unseen_of(campaign.tenant_id, unseen, all_recipients, payload.addresses)
        recipients, addresses = changes
        if recipients or addresses:
            self._changed = frozenset(
                i
                for i, address in enumerate(payload.addresses)
                if address in addresses or payload.recipient(i) in recipients
            )

    @cached_property
    def _unseen(self) -> Unseen:
        """The consent changes that arming may not have seen."""
        campaign = self._claimed.campaign
        assert campaign.armed_at is not None
        if campaign.consent_since is None:
            return Unseen(campaign.armed_at - OVERLAP)
        return Unseen(campaign.consent_since, campaign.consent_transactions, campaign.consent_next_transaction)

    def _in_closed_hours(self, rows: Sequence[int], now: datetime) -> dict[int, Outcome]:
        payload, tenant_zone = self._claimed.payload, self._claimed.campaign.tenant.timezone
        if not payload.closed_index:
            return {}
        held: dict[int, Outcome] = {}
        ends: dict[int, Hold | None] = {}  # recipients share their hours: each is computed once, 5 to 10 µs
        for i in rows:
            n = payload.closed_index.get(i)
            if n is None or i in self._changed:
                continue
            if n not in ends:
                ends[n] = find_end(payload.closed_hours[n], tenant_zone, now)
            if (hold := ends[n]) is not None:
                held[i] = postpone(self._claimed.ledger_row(i), hold, now)
        return held
