"""The step of an acceptance: each message that leaves at once takes a place in the windows of its caps, in the
acceptance's transaction.

A message that waits (`send_at`, quiet hours, a digest, a later step of a route) takes its places when it leaves
(`last_look`): by then its windows are known for certain, and a cancelled message never took any.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from notifier.delivery.accept_context import AcceptContext
from notifier.delivery.caps import places
from notifier.delivery.caps.policy import describe, load_policies, next_window
from notifier.delivery.caps.sharing import PlaceRequest
from notifier.delivery.digests import gathering
from notifier.delivery.digests.gathering import Gathered
from notifier.delivery.draft import Draft
from notifier.delivery.ledger.accepted_rows import DeliveryRow
from notifier.delivery.planning.cap_rules import CapWindow, caps_for, windows_at
from notifier.vocabulary.status import Mode, QueuePosition, Reason, Status
from tenants.models.consent import OverCap


def limit(context: AcceptContext, drafts: Sequence[Draft], gathered: list[Gathered]) -> None:
    """Suppress or postpone the messages of these requests that find a window full, or add them to `gathered`."""
    if not context.caps:
        return
    asked: list[tuple[Draft, list[DeliveryRow]]] = []
    requests: list[PlaceRequest] = []
    for draft in drafts:
        for channel, rows in _leaving(draft).items():
            if caps := caps_for(context.caps, draft.rule, channel):
                windows = windows_at(caps, draft.person.timezone or context.tenant.timezone, context.now)
                requests.append(PlaceRequest(draft.notification_id, draft.person.id, windows))
                asked.append((draft, rows))
    taken = places.take(context.tenant.id, requests)
    over = [(draft, rows, full) for (draft, rows), full in zip(asked, taken, strict=True) if full]
    policies = load_policies(context.tenant.id, {draft.rule.category for draft, _, _ in over}) if over else {}
    for_digest = [(d, rows) for d, rows, _ in over if policies.get(d.rule.category) == OverCap.DIGEST]
    no_digest = {row.id for row in gathering.gather_rows(context, for_digest, gathered)} if for_digest else set()
    for draft, rows, full in over:
        policy = policies.get(draft.rule.category, OverCap.DROP)
        for row in rows:
            if policy != OverCap.DIGEST or row.id in no_digest:
                _hold_back(row, policy, full, context.now)


def withdraw(context: AcceptContext, refused: Sequence[Draft]) -> None:
    """Give back the places of requests that were refused after `limit`."""
    if context.caps and refused:
        places.give_back(context.tenant.id, [(draft.notification_id, draft.person.id) for draft in refused])


def _leaving(draft: Draft) -> dict[str, list[DeliveryRow]]:
    """channel -> the rows that leave at once. Test messages reach no recipient and are not counted."""
    rows: dict[str, list[DeliveryRow]] = {}
    if draft.request.mode == Mode.LIVE:
        for row in draft.rows:
            if row.status == Status.QUEUED and row.queue_position == QueuePosition.WAITING:
                rows.setdefault(row.channel, []).append(row)
    return rows


def _hold_back(row: DeliveryRow, policy: OverCap, full: Sequence[CapWindow], now: datetime) -> None:
    """Suppress the row, or let it wait for the next window. A message that no digest takes waits, too: it may be a
    digest itself."""
    row.detail, until = describe(full), next_window(full)
    if policy != OverCap.DROP and not (row.not_after and row.not_after <= until):
        # asks for its places again when the next window begins
        row.due_at, row.queue_position = until, QueuePosition.PARKED
        return
    row.status = Status.SUPPRESSED if policy == OverCap.DROP else Status.EXPIRED
    row.reason, row.settled_at, row.account_id, row.content = Reason.FREQUENCY_CAP, now, None, None
