"""Who of a shard must not get it any more (consent changed since arming), or not yet (quiet hours), or too late."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from campaigns.sending.claim import ClaimedShard
from notifier.delivery.accounts import registry
from notifier.delivery.ledger.settle import Outcome
from notifier.delivery.planning import quiet_hours
from notifier.delivery.planning.consent_changes import changed_since, few_changes
from notifier.delivery.recheck import held_back, plan_again
from notifier.delivery.send import rerouted
from notifier.vocabulary.status import Reason, Status

#: seconds for which a look at the consent changes is believed. A no that was committed a second before a request is
#: written holds
CONSENT_CACHE_SECONDS = 0.5


class Recheck:
    """For one shard. The look is at the whole shard: as dear as at a chunk of it."""

    def __init__(self, claimed: ClaimedShard, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._claimed, self._clock = claimed, clock
        self._looked_at = 0.0
        self._suspects: frozenset[int] = frozenset()

    def of(self, rows: Sequence[int]) -> dict[int, Outcome]:
        """Message -> why it does not leave now; the others may."""
        claimed, now = self._claimed, self._clock()
        if claimed.campaign.not_after is not None and claimed.campaign.not_after <= now:
            return {i: Outcome(claimed.row(i), Status.EXPIRED, Reason.NOT_AFTER) for i in rows}
        account = registry.by_id(claimed.account.id)
        if account is None or not account.enabled:
            return dict(zip(rows, rerouted([claimed.row(i) for i in rows]), strict=True))
        self._look()
        return {**self._quiet(rows, now), **self._changed(rows, now)}

    def _changed(self, rows: Sequence[int], now: datetime) -> dict[int, Outcome]:
        """Planned again, quiet hours included."""
        if not self._suspects:
            return {}
        suspects = {i: self._claimed.row(i) for i in rows if i in self._suspects}
        outcomes = {outcome.row.id: outcome for outcome in plan_again(list(suspects.values()), now)}
        return {i: outcomes[row.id] for i, row in suspects.items() if row.id in outcomes}

    def _look(self) -> None:
        if time.monotonic() - self._looked_at < CONSENT_CACHE_SECONDS:
            return
        payload, campaign = self._claimed.payload, self._claimed.campaign
        assert campaign.armed_at is not None
        self._looked_at = time.monotonic()
        found = few_changes(campaign.tenant_id, campaign.armed_at)
        if found is None:
            everybody = [payload.recipient(i) for i in range(len(payload))]
            found = changed_since(campaign.tenant_id, campaign.armed_at, everybody, payload.addresses)
        recipients, addresses = found
        if recipients or addresses:
            self._suspects = frozenset(
                i for i, at in enumerate(payload.addresses) if at in addresses or payload.recipient(i) in recipients
            )

    def _quiet(self, rows: Sequence[int], now: datetime) -> dict[int, Outcome]:
        payload, tenant_zone = self._claimed.payload, self._claimed.campaign.tenant.timezone
        if not payload.quiet:
            return {}
        found: dict[int, Outcome] = {}
        ends: dict[int, datetime | None] = {}  # people share their hours: each is asked for once, 5 to 10 µs
        for i in rows:
            n = payload.quiet.get(i)
            if n is None or i in self._suspects:
                continue
            if n not in ends:
                ends[n] = quiet_hours.ends(payload.hours[n], tenant_zone, now)
            if (until := ends[n]) is not None:
                found[i] = held_back(self._claimed.row(i), until, now)
        return found
