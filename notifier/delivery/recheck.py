"""A no is a no, also after acceptance: plan again, right before the wire, for whoever changed their mind meanwhile."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from notifier.delivery.ledger.claims import Claimed
from notifier.delivery.ledger.settle import Outcome
from notifier.delivery.planning import recipients
from notifier.delivery.planning.category_rules import load_rules, rule_for
from notifier.delivery.planning.consent_changes import changed_since
from notifier.delivery.planning.plan import Planned, Rule, Suppressed, plan
from notifier.delivery.planning.quiet_hours import expires_in_quiet_hours
from notifier.vocabulary.people import Person
from notifier.vocabulary.status import Lane, Reason, Status
from tenants.models import Tenant


@dataclass(frozen=True)
class CampaignPolicy:
    """What the owner of a campaign wants of its rows: none of them leaves, not now, not now on some channels, or so
    many a second."""

    stopped: bool = False
    paused: bool = False
    rate_per_s: float | None = None
    paused_channels: frozenset[str] = frozenset()

    def hold(self, channel: str) -> bool:
        return self.paused or channel in self.paused_channels


PolicyLookup = Callable[[Collection[uuid.UUID]], Mapping[uuid.UUID, CampaignPolicy]]
_look: PolicyLookup | None = None


def register_policies(look: PolicyLookup) -> None:
    """Plug in who knows the orders for some campaigns: a retry that comes back after a stop must not leave."""
    global _look
    _look = look


def load_policies(rows: Sequence[Claimed]) -> Mapping[uuid.UUID, CampaignPolicy]:
    """The orders for the campaigns of these rows; no query when none is of a campaign."""
    campaigns = {r.campaign_id for r in rows if r.campaign_id is not None}
    return _look(campaigns) if _look is not None and campaigns else {}


def recheck(rows: Sequence[Claimed], ordered: Mapping[uuid.UUID, CampaignPolicy]) -> list[Outcome]:
    """Outcomes for rows (of one tenant) that must not leave now; the others may."""
    if not rows:
        return []
    now = datetime.now(UTC)
    stopped = {campaign for campaign, found in ordered.items() if found.stopped}
    outcomes: list[Outcome] = []
    fresh: list[Claimed] = []
    for row in rows:
        if row.campaign_id in stopped:
            outcomes.append(Outcome(row, Status.CANCELLED, Reason.STOPPED))
        elif row.not_after is not None and row.not_after <= now:
            outcomes.append(Outcome(row, Status.EXPIRED, Reason.NOT_AFTER))
        else:
            fresh.append(row)
    return outcomes + plan_again(_suspects(fresh), now)


def _suspects(rows: Sequence[Claimed]) -> list[Claimed]:
    """Rows whose recipient or address has a consent change, and single bulk rows, for their quiet hours."""
    if not rows:
        return []
    changed = changed_since(
        rows[0].tenant_id,
        min(r.accepted_at for r in rows),
        [r.recipient_id for r in rows],
        [r.address.value for r in rows],
    )
    return [r for r in rows if r.lane == Lane.BULK or r.recipient_id in changed[0] or r.address.value in changed[1]]


def plan_again(rows: Sequence[Claimed], now: datetime) -> list[Outcome]:
    if not rows:
        return []
    tenant = Tenant.objects.get(pk=rows[0].tenant_id)
    persons = recipients.load_by_ids(tenant.id, [r.recipient_id for r in rows])
    known = load_rules(tenant.id, {r.category for r in rows})
    outcomes = [
        decide_row(r, persons.get(r.recipient_id), rule_for(known, r.category, r.lane), now, tenant.timezone)
        for r in rows
    ]
    return [o for o in outcomes if o is not None]


def postpone(row: Claimed, until: datetime, now: datetime) -> Outcome:
    """A row whose recipient has quiet hours until then: it waits, or ends where it may not leave so late."""
    if expires_in_quiet_hours(until, row.not_after):
        return Outcome(row, Status.EXPIRED, Reason.QUIET_HOURS)
    return Outcome(row, Status.QUEUED, wait=(until - now).total_seconds(), held=True)


def decide_row(row: Claimed, person: Person | None, rule: Rule, now: datetime, tenant_zone: str) -> Outcome | None:
    """Purely: None when the row may leave, else why not (suppressed, expired) or not yet (held)."""
    if person is None:
        return Outcome(row, Status.SUPPRESSED, Reason.RECIPIENT_ERASED)
    for entry in plan(person, rule, [row.channel], now, tenant_zone):
        if isinstance(entry, Suppressed) and entry.address.value in ("", row.address.value):
            return Outcome(row, Status.SUPPRESSED, entry.reason)
        if isinstance(entry, Planned) and entry.address.value == row.address.value:
            if entry.hold_until is None:
                return None
            return postpone(row, entry.hold_until, now)
    return Outcome(row, Status.SUPPRESSED, Reason.NO_ADDRESS)
