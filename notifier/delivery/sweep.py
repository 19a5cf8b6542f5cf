"""Repairs what a killed worker or a lost Redis left behind, every second: rows whose lease is over, parked rows that
came due, ordering queues without a turn holder. Then wakes the workers of every queue with due rows."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import NamedTuple

from django.db import connection, transaction

from notifier.channels import channels
from notifier.channels.queues import LANES_OF_QUEUES, queue_of
from notifier.delivery.accept import accept
from notifier.delivery.accounts import registry
from notifier.delivery.digests.closing import close_due
from notifier.delivery.infra.database_clock import database_now
from notifier.delivery.ledger import claims, leases, ordering
from notifier.delivery.ledger.claims import Claimed
from notifier.delivery.ledger.retry import SCHEDULE
from notifier.delivery.ledger.settle import Outcome, settle
from notifier.delivery.routes import sweep as routes
from notifier.delivery.send import reroute
from notifier.delivery.wakeup import signal
from notifier.vocabulary.status import QueuePosition, Reason, Status

#: rows that one sweep repairs of each kind; the next sweep takes the next ones
BATCH = 5_000

_EXPIRED = leases.expired("lease_until", "%(lease)s")

_RECLAIM = f"""
WITH expired AS MATERIALIZED (
  SELECT id FROM notifier_delivery WHERE status = {Status.CLAIMED} AND {_EXPIRED} LIMIT {BATCH} FOR UPDATE SKIP LOCKED)
UPDATE notifier_delivery d SET status = {Status.QUEUED}, lease_until = NULL, fence = d.fence + 1
FROM expired WHERE d.id = expired.id
"""

# the content is not read: settling keeps the content of the row
_COLUMNS = claims.select_list(content="'{}'", in_doubt="false", asked_at="NULL::timestamptz")
_IN_DOUBT = f"""
SELECT {_COLUMNS} FROM notifier_delivery d WHERE d.status = {Status.SENDING} AND {_EXPIRED} LIMIT {BATCH}
"""


class _Parked(NamedTuple):
    id: uuid.UUID
    tenant_id: uuid.UUID
    recipient_id: uuid.UUID
    channel: str
    lane: int
    mode: str
    campaign_id: uuid.UUID | None

    @property
    def key(self) -> ordering.Key | None:
        """The row's ordering queue; rows of campaigns have none."""
        if self.campaign_id is not None:
            return None
        return (self.tenant_id, self.recipient_id, self.channel, self.lane, self.mode)


_PARKED = f"""
SELECT {", ".join(_Parked._fields)} FROM notifier_delivery
WHERE status = {Status.QUEUED} AND queue_position = {QueuePosition.PARKED} AND due_at <= now()
ORDER BY due_at LIMIT {BATCH}
"""

_STILL_PARKED = f"""
SELECT id FROM notifier_delivery
WHERE id = ANY(%s) AND status = {Status.QUEUED} AND queue_position = {QueuePosition.PARKED} ORDER BY due_at
"""

_MOVE = f"""
UPDATE notifier_delivery d SET queue_position = v.queue_position
FROM unnest(%s::uuid[], %s::smallint[]) AS v (id, queue_position)
WHERE d.id = v.id AND d.status = {Status.QUEUED} AND d.queue_position = {QueuePosition.PARKED}
"""

# begins with the waiting rows, which are few and have an index; queues are many: every recipient of a message has one
_WITHOUT_TURN = f"""
SELECT DISTINCT {ordering.KEY_COLUMNS}
FROM notifier_delivery d JOIN notifier_orderingqueue l USING (tenant_id, recipient_id, channel, lane, mode)
WHERE d.status = {Status.QUEUED} AND d.queue_position = {QueuePosition.WAITING} AND NOT l.turn_taken LIMIT {BATCH}
"""

_DUE = f"""
SELECT EXISTS (SELECT 1 FROM notifier_delivery WHERE channel = %s AND lane = ANY(%s)
               AND status = {Status.QUEUED} AND queue_position = {QueuePosition.HAS_TURN} AND due_at <= now())
"""


def sweep() -> None:
    """One round. Several sweeps may run at once: each repair is safe to repeat, and skips rows that another process has
    locked."""
    values = {"lease": leases.lease_seconds()}
    with connection.cursor() as cursor:
        cursor.execute(_RECLAIM, values)
        cursor.execute(_IN_DOUBT, values)
        in_doubt = [claims.claimed_from_row(row) for row in cursor.fetchall()]
    now = database_now()
    settle([_outcome_in_doubt(row, now) for row in in_doubt])
    for name in channels():
        settle(reroute(claims.claim_orphans(name, BATCH)))
    # before parked rows leave: a held message of a later step may not be needed any more
    routes.sweep(database_now())
    _unpark()
    _pass_on_lost_turns()
    signal.notify(_due_queues())
    close_due(accept, database_now())


def _outcome_in_doubt(row: Claimed, now: datetime) -> Outcome:
    """A worker died while this row was in flight: the channel says whether the message may be repeated."""
    too_late = row.not_after is not None and row.not_after <= now
    why = "the worker was lost while sending"
    if channels()[row.channel].repeat_when_in_doubt and row.attempt <= len(SCHEDULE) and not too_late:
        return Outcome(row, Status.QUEUED, Reason.IN_DOUBT, why)
    # asked about in any case; a dead letter is for what may still be sent again
    ask_after = registry.ask_after(registry.load_account(row.account_id))
    return Outcome(row, Status.UNKNOWN, Reason.IN_DOUBT, why, dead_letter=not too_late, receipt_after=ask_after)


def _unpark() -> None:
    """Let parked rows that came due join their ordering queue, or take its turn if the turn is free. Rows of campaigns
    have no queue."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_PARKED)
            keys = {row.id: row.key for row in map(_Parked._make, cursor.fetchall())}
        locked = ordering.lock(key for key in keys.values() if key)
        parked = _still_parked(list(keys))
        positions: list[int] = []
        for key in map(keys.__getitem__, parked):
            ordering_queue = locked.get(key) if key else None
            waits = ordering_queue is not None and ordering_queue.turn_taken
            positions.append(int(QueuePosition.WAITING if waits else QueuePosition.HAS_TURN))
            if ordering_queue is not None:
                ordering_queue.turn_taken = True
        ordering.save(locked.values())
        if parked:
            with connection.cursor() as cursor:
                cursor.execute(_MOVE, [parked, positions])


def _still_parked(ids: list[uuid.UUID]) -> list[uuid.UUID]:
    """The ids of the rows that are still parked now that their queues are locked. Another sweep may have brought a row
    back, and the row may be sent by now: a turn given to such a row would never be passed on."""
    with connection.cursor() as cursor:
        cursor.execute(_STILL_PARKED, [ids])
        return [delivery_id for (delivery_id,) in cursor.fetchall()]


def _pass_on_lost_turns() -> None:
    """Safety net: `settle` passes turns on in its own transaction, so this finds rows only after an edit by hand."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_WITHOUT_TURN)
            keys: list[ordering.Key] = cursor.fetchall()
        ordering.pass_on([queue.id for queue in ordering.lock(keys).values() if not queue.turn_taken])


def _due_queues() -> set[str]:
    """Queues with a due row; one index probe for each channel and lane."""
    due: set[str] = set()
    with connection.cursor() as cursor:
        for name in channels():
            for lanes in LANES_OF_QUEUES:
                cursor.execute(_DUE, [name, [int(lane) for lane in lanes]])
                [is_due] = cursor.fetchone()
                if is_due:
                    due.add(queue_of(name, lanes[0]))
    return due
