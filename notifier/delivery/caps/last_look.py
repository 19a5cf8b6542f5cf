"""The last look at caps before rows of the ledger leave: messages that waited since their acceptance take their places
now, in the windows of this moment."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from notifier.delivery.caps import places
from notifier.delivery.caps.loading import cached_caps, load_zones
from notifier.delivery.caps.policy import describe, load_policies, next_window
from notifier.delivery.caps.sharing import PlaceRequest
from notifier.delivery.ledger.claims import Claimed
from notifier.delivery.ledger.settle import Outcome
from notifier.delivery.planning.cap_rules import CapWindow, caps_for, windows_at
from notifier.delivery.planning.category_rules import load_rules, rule_for
from notifier.vocabulary.people import NO_RECIPIENT
from notifier.vocabulary.status import Mode, Reason, Status
from tenants.models import OverCap, Tenant


def refuse_over_cap(rows: Sequence[Claimed], now: datetime) -> list[Outcome]:
    """Outcomes for the rows that find a window full. All rows are of one tenant. A row that holds its places already
    costs one read; a row with an earlier attempt was counted then."""
    caps = cached_caps(rows[0].tenant_id) if rows else ()
    rows = [row for row in rows if _is_counted(row)] if caps else []
    if not rows:
        return []
    tenant_id = rows[0].tenant_id
    rules = load_rules(Tenant.objects.get(pk=tenant_id), {row.category for row in rows})
    zones = load_zones(tenant_id, {row.recipient_id for row in rows})
    held: list[tuple[Claimed, PlaceRequest]] = []
    for row in rows:
        row_caps = caps_for(caps, rule_for(rules, row.category, row.lane), row.channel)
        holder = row.campaign_id or row.notification_id
        if row_caps and holder and row.recipient_id in zones:
            windows = windows_at(row_caps, zones[row.recipient_id], now)
            held.append((row, PlaceRequest(holder, row.recipient_id, windows)))
    missing = places.without_place(tenant_id, [request for _, request in held])
    asking = [held[n] for n in missing]
    full = places.take(tenant_id, [request for _, request in asking])
    return over_cap([(row, windows) for (row, _), windows in zip(asking, full, strict=True) if windows], now)


def _is_counted(row: Claimed) -> bool:
    """Whether the row takes places now: a rehearsal and a test reach no recipient, and a retry was counted before."""
    return row.mode == Mode.LIVE and not row.attempt and not row.in_doubt and row.recipient_id != NO_RECIPIENT


def over_cap(rows: Sequence[tuple[Claimed, Sequence[CapWindow]]], now: datetime) -> list[Outcome]:
    """What becomes of messages that find these windows full, in their order. All rows are of one tenant."""
    if not rows:
        return []
    policies = load_policies(rows[0][0].tenant_id, {row.category for row, _ in rows})
    return [_outcome(row, policies.get(row.category, OverCap.DROP), full, now) for row, full in rows]


def _outcome(row: Claimed, policy: OverCap, full: Sequence[CapWindow], now: datetime) -> Outcome:
    """Suppressed, or held until the next window, or expired if it may not leave so late. A message that has waited
    joins no digest: it waits for the next window instead."""
    detail, until = describe(full), next_window(full)
    if policy == OverCap.DROP:
        return Outcome(row, Status.SUPPRESSED, Reason.FREQUENCY_CAP, detail)
    if row.not_after is not None and row.not_after <= until:
        return Outcome(row, Status.EXPIRED, Reason.FREQUENCY_CAP, detail)
    wait = (until - now).total_seconds()
    return Outcome(row, Status.QUEUED, Reason.FREQUENCY_CAP, detail, wait=wait, held=True)
