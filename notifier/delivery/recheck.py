"""Consent holds after acceptance, too: right before a message is sent, plan again for recipients who changed their
preferences meanwhile; and ask the policy of the row's campaign."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.conf import settings

from notifier.delivery.caps.last_look import refuse_over_cap
from notifier.delivery.infra.ttl_cache import TtlCache
from notifier.delivery.ledger.claims import Claimed
from notifier.delivery.ledger.settle import Outcome
from notifier.delivery.planning import recipients
from notifier.delivery.planning.category_rules import load_rules, rule_for
from notifier.delivery.planning.closed_hours import Hold, expires_while_held
from notifier.delivery.planning.consent_changes import Changes, changed_since, few_changes
from notifier.delivery.planning.plan import Planned, Rule, Suppressed, When, plan
from notifier.vocabulary.people import NO_RECIPIENT, Person
from notifier.vocabulary.status import Lane, Reason, Status
from tenants.models import Tenant


@dataclass(frozen=True)
class CampaignPolicy:
    """What a campaign allows of its rows that wait in the ledger: none leaves (stopped), none leaves now (paused), none
    leaves now on some channels, or so many leave a second."""

    stopped: bool = False
    paused: bool = False
    rate_per_s: float | None = None
    paused_channels: frozenset[str] = frozenset()

    def holds(self, channel: str) -> bool:
        return self.paused or channel in self.paused_channels


PolicyLookup = Callable[[Collection[uuid.UUID]], Mapping[uuid.UUID, CampaignPolicy]]
_lookup: PolicyLookup | None = None


def register_policies(lookup: PolicyLookup) -> None:
    """Register what gives the policies of campaigns: a retry that comes back after a stop must not leave."""
    global _lookup
    _lookup = lookup


def load_policies(rows: Sequence[Claimed]) -> Mapping[uuid.UUID, CampaignPolicy]:
    """The policies of the campaigns of these rows, by id; no query when no row is of a campaign."""
    campaigns = {r.campaign_id for r in rows if r.campaign_id is not None}
    return _lookup(campaigns) if _lookup is not None and campaigns else {}


def recheck(rows: Sequence[Claimed], policies: Mapping[uuid.UUID, CampaignPolicy]) -> list[Outcome]:
    """Outcomes for the rows that must not leave now; all other rows may. All rows are of one tenant."""
    if not rows:
        return []
    now = datetime.now(UTC)
    stopped = {campaign_id for campaign_id, policy in policies.items() if policy.stopped}
    outcomes: list[Outcome] = []
    fresh: list[Claimed] = []
    for row in rows:
        if row.campaign_id in stopped:
            outcomes.append(Outcome(row, Status.CANCELLED, Reason.STOPPED))
        elif row.not_after is not None and row.not_after <= now:
            outcomes.append(Outcome(row, Status.EXPIRED, Reason.NOT_AFTER))
        else:
            fresh.append(row)
    outcomes += plan_again(_changed(fresh), now)
    ended = {outcome.row.id for outcome in outcomes}
    # last, so that a message that does not leave takes no place
    return outcomes + refuse_over_cap([row for row in fresh if row.id not in ended], now)


def _changed(rows: Sequence[Claimed]) -> list[Claimed]:
    """Rows whose recipient or address has a consent change since their acceptance; and all rows of the bulk lane, for
    their closed hours."""
    if not rows:
        return []
    recipient_ids, addresses = _changes_for(rows)
    return [r for r in rows if r.lane == Lane.BULK or r.recipient_id in recipient_ids or r.address.value in addresses]


#: rows accepted so long ago, or earlier, have a query of their own
RECENT = timedelta(seconds=60)
#: tenant -> when they were asked for, and its changes since RECENT before that; None: they are many
_recent_changes = TtlCache[uuid.UUID, tuple[float, Changes | None]](seconds=1.0)


def _changes_for(rows: Sequence[Claimed]) -> Changes:
    """Recipients and addresses with a consent change since the oldest acceptance of these rows. All rows are of one
    tenant."""
    tenant_id, oldest = rows[0].tenant_id, min(r.accepted_at for r in rows)
    if oldest > datetime.now(UTC) - RECENT and (changes := _recent(tenant_id)):
        return changes
    return changed_since(tenant_id, oldest, [r.recipient_id for r in rows], [r.address.value for r in rows])


def _recent(tenant_id: uuid.UUID) -> Changes | None:
    """The tenant's changes since RECENT ago; None when they are many. Those that were asked for less than
    CONSENT_BELIEVED_SECONDS ago are believed: a query of its own would cost each single message 0.4 ms of CPU, of both
    sides."""
    now = time.monotonic()
    believed = _recent_changes.get(tenant_id)
    if believed is None or now - believed[0] >= settings.CONSENT_BELIEVED_SECONDS:
        believed = (now, few_changes(tenant_id, datetime.now(UTC) - RECENT))
        _recent_changes.keep(tenant_id, believed)
    return believed[1]


def reset() -> None:
    """Forget what this process read."""
    _recent_changes.clear()


def plan_again(rows: Sequence[Claimed], now: datetime) -> list[Outcome]:
    """Outcomes for the rows that must not leave by a plan made now. All rows are of one tenant. A row without a
    recipient (a topic of Firebase) has no plan: the provider decides who gets it."""
    rows = [r for r in rows if r.recipient_id != NO_RECIPIENT]
    if not rows:
        return []
    tenant = Tenant.objects.get(pk=rows[0].tenant_id)
    persons = recipients.load_by_ids(tenant.id, [r.recipient_id for r in rows])
    rules = load_rules(tenant, {r.category for r in rows})
    outcomes = [
        decide_row(r, persons.get(r.recipient_id), rule_for(rules, r.category, r.lane), now, tenant.timezone)
        for r in rows
    ]
    return [o for o in outcomes if o is not None]


def postpone(row: Claimed, hold: Hold, now: datetime) -> Outcome:
    """The outcome of a row that must wait: for the end of a snooze, of quiet hours, for its send window. It expires if
    it may not leave so late."""
    if expires_while_held(hold.until, row.not_after):
        return Outcome(row, Status.EXPIRED, hold.reason)
    return Outcome(row, Status.QUEUED, wait=(hold.until - now).total_seconds(), held=True)


def decide_row(row: Claimed, person: Person | None, rule: Rule, now: datetime, tenant_zone: str) -> Outcome | None:
    """None when the row may leave, else why it does not leave (suppressed, expired), or not yet (held). Pure."""
    if person is None:
        return Outcome(row, Status.SUPPRESSED, Reason.RECIPIENT_ERASED)
    for entry in plan(person, rule, [row.channel], When(now, tenant_zone)):
        if isinstance(entry, Suppressed) and entry.address.value in ("", row.address.value):
            return Outcome(row, Status.SUPPRESSED, entry.reason)
        if isinstance(entry, Planned) and entry.address.value == row.address.value:
            if entry.hold_until is None or entry.hold_reason is None:
                return None
            return postpone(row, Hold(entry.hold_until, entry.hold_reason), now)
    return Outcome(row, Status.SUPPRESSED, Reason.NO_ADDRESS)
