"""Frequency caps in the last look at a chunk: which of its messages find a window full now. `recheck` calls it.

Arming took the places of most messages, and those cost nothing here while their window lasts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from uuid import UUID

from django.db import transaction

from campaigns.category import category_rule_of
from campaigns.sending.claimed_shard import ClaimedShard
from notifier.delivery.caps import places
from notifier.delivery.caps.last_look import over_cap
from notifier.delivery.caps.loading import SECONDS, cached_caps, load_zones
from notifier.delivery.caps.policy import describe, load_policies
from notifier.delivery.caps.sharing import PlaceRequest
from notifier.delivery.digests.gathering import campaign_digest, gather_campaign
from notifier.delivery.ledger.settle import Outcome
from notifier.delivery.planning.cap_rules import Cap, CapWindow, caps_for, windows_at
from notifier.delivery.planning.plan import Rule
from notifier.vocabulary.people import NO_RECIPIENT
from notifier.vocabulary.status import Mode, Reason, Status
from tenants.models import OverCap

#: message -> the windows that it finds full
FullWindows = Mapping[int, tuple[CapWindow, ...]]


class CapCheck:
    """The check of one shard."""

    def __init__(self, claimed: ClaimedShard) -> None:
        self._claimed = claimed

    def add_refusals(self, rows: Sequence[int], refused: dict[int, Outcome], now: datetime) -> dict[int, Outcome]:
        """`refused`, and the messages of `rows` that find a window full. Last, so that a message that does not leave
        takes no place; and a message of unknown outcome was counted before. Without caps 1 µs a chunk."""
        caps = self._caps() if cached_caps(self._claimed.campaign.tenant_id) else []
        if not caps:
            return refused
        unsure = rows if self._places_are_old(caps, now) else self._without_place.intersection(rows)
        asking = [i for i in unsure if i not in refused and i not in self._claimed.in_doubt]
        return {**refused, **self._ask(caps, asking, now)} if asking else refused

    def give_back(self, rows: Sequence[int]) -> None:
        """Give back the places that arming took for these messages, none of which leaves. All messages of a recipient
        are in one wave."""
        campaign = self._claimed.campaign
        if cached_caps(campaign.tenant_id):
            recipients = {self._claimed.payload.recipient(i) for i in rows}
            places.give_back(campaign.tenant_id, [(campaign.pk, recipient) for recipient in recipients])

    def _ask(self, caps: Sequence[Cap], asking: Sequence[int], now: datetime) -> dict[int, Outcome]:
        """Take the places of these messages; returns what becomes of those that got none."""
        campaign, payload = self._claimed.campaign, self._claimed.payload
        recipients = {i: payload.recipient(i) for i in asking}
        zones = load_zones(campaign.tenant_id, set(recipients.values()) - {NO_RECIPIENT})
        windows = {zone: windows_at(caps, zone, now) for zone in set(zones.values())}
        # the consent change refuses a recipient who was deleted; a topic of Firebase has no recipient
        counted = {i: recipient for i, recipient in recipients.items() if recipient in zones}
        full = self._take(caps, {i: (r, windows[zones[r]]) for i, r in counted.items()})
        if full and self._gathers():
            self._gather({(counted[i], zones[counted[i]]) for i in full}, now)
            return {i: self._outcome_in_digest(i, full) for i in full}
        outcomes = over_cap([(self._claimed.ledger_row(i), w) for i, w in full.items()], now)
        return dict(zip(full, outcomes, strict=True))

    def _take(
        self, caps: Sequence[Cap], wanted: Mapping[int, tuple[UUID, tuple[CapWindow, ...]]]
    ) -> dict[int, tuple[CapWindow, ...]]:
        """Take a place in each of these windows; returns the messages that got none, with the full windows. One cap,
        as most tenants have, takes one statement instead of two."""
        campaign = self._claimed.campaign
        if len(caps) > 1:
            requests = [PlaceRequest(campaign.pk, recipient, windows) for recipient, windows in wanted.values()]
            taken = places.take(campaign.tenant_id, requests)
            return {i: full for i, full in zip(wanted, taken, strict=True) if full}
        by_start: dict[datetime, set[str]] = {}
        for recipient, (cap_window,) in wanted.values():
            by_start.setdefault(cap_window.window.start, set()).add(recipient.hex)
        recipients = {start: sorted(ids) for start, ids in by_start.items()}
        over = places.take_for_campaign(campaign.tenant_id, campaign.pk, caps[0], recipients)
        return {i: windows for i, (recipient, windows) in wanted.items() if recipient.hex in over}

    def _gathers(self) -> bool:
        """Whether messages over a cap join the category's digest, which must go to this channel."""
        tenant_id, category = self._claimed.campaign.tenant_id, self._claimed.campaign.category
        if load_policies(tenant_id, [category]).get(category) != OverCap.DIGEST:
            return False
        terms_and_channels = campaign_digest(tenant_id, category)
        return terms_and_channels is not None and self._claimed.channel in terms_and_channels[1]

    def _gather(self, recipients: set[tuple[UUID, str]], now: datetime) -> None:
        campaign = self._claimed.campaign
        with transaction.atomic():
            gather_campaign(campaign.tenant, campaign.category, campaign.pk, recipients, now)

    def _outcome_in_digest(self, i: int, full: FullWindows) -> Outcome:
        return Outcome(self._claimed.ledger_row(i), Status.SUPPRESSED, Reason.IN_DIGEST, describe(full[i]))

    def _caps(self) -> list[Cap]:
        """The caps that hold the shard's messages; a test and a rehearsal reach nobody."""
        campaign = self._claimed.campaign
        is_live = self._claimed.mode == Mode.LIVE
        return caps_for(cached_caps(campaign.tenant_id), self._rule, self._claimed.channel) if is_live else []

    @cached_property
    def _rule(self) -> Rule:
        return category_rule_of(self._claimed.campaign)

    def _places_are_old(self, caps: Sequence[Cap], now: datetime) -> bool:
        """Whether the places that arming took do not count now: a window is over, or a cap is new or has changed."""
        window, armed_at = self._claimed.payload.cap_window, self._claimed.campaign.armed_at
        assert armed_at is not None
        in_window = bool(window) and window[0] <= now.timestamp() < window[1]
        return not in_window or any(cap.changed_at > armed_at - timedelta(seconds=SECONDS) for cap in caps)

    @cached_property
    def _without_place(self) -> frozenset[int]:
        return frozenset(self._claimed.payload.over_cap)
