"""What survives a lost Redis and a killed worker: every second, rows whose lease ran out, parked rows that came due,
lines without a turn holder; and a ring for every queue with due work."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from django.db import connection, transaction

from notifier.channels import channels
from notifier.channels.queues import SHARED, queue_of
from notifier.delivery.ledger import claims, leases, ordering
from notifier.delivery.ledger.claims import Claimed
from notifier.delivery.ledger.retry import SCHEDULE
from notifier.delivery.ledger.settle import Outcome, settle
from notifier.delivery.send import rerouted
from notifier.delivery.wakeup import signal
from notifier.vocabulary.people import Address
from notifier.vocabulary.status import QueuePosition, Reason, Status

#: rows that one sweep repairs of each kind; the next sweep takes the next ones
BATCH = 5_000

_EXPIRED = leases.expired("lease_until", "%(lease)s")

_RECLAIM = f"""
UPDATE notifier_delivery d SET status = {Status.QUEUED}, lease_until = NULL, fence = d.fence + 1
FROM (SELECT id FROM notifier_delivery WHERE status = {Status.CLAIMED} AND {_EXPIRED}
      LIMIT {BATCH} FOR UPDATE SKIP LOCKED) e
WHERE d.id = e.id
"""

_IN_DOUBT = f"""
SELECT id, tenant_id, recipient_id, account_id, channel, address, platform, device_id, lane, mode, attempt, fence,
       accepted_at, notification_id, campaign_id, category, not_after
FROM notifier_delivery WHERE status = {Status.SENDING} AND {_EXPIRED} LIMIT {BATCH}
"""

_PARKED = f"""
SELECT id, tenant_id, recipient_id, channel, lane, mode, campaign_id FROM notifier_delivery
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

# from the rows that wait, which have an index and are few: there is a line for everybody who was ever sent anything
_ORPHANED = f"""
SELECT DISTINCT l.tenant_id, l.recipient_id, l.channel, l.lane, l.mode
FROM notifier_delivery d JOIN notifier_orderingqueue l USING (tenant_id, recipient_id, channel, lane, mode)
WHERE d.status = {Status.QUEUED} AND d.queue_position = {QueuePosition.WAITING} AND NOT l.turn_taken LIMIT {BATCH}
"""

_DUE = f"""
SELECT EXISTS (SELECT 1 FROM notifier_delivery WHERE channel = %s AND lane = ANY(%s)
               AND status = {Status.QUEUED} AND queue_position = {QueuePosition.HAS_TURN} AND due_at <= now())
"""


def sweep() -> None:
    """One round. Several may run at once: each repair is safe, and rows that another holds are passed over."""
    values = {"lease": leases.lease_seconds()}
    with connection.cursor() as cursor:
        cursor.execute(_RECLAIM, values)
        cursor.execute(_IN_DOUBT, values)
        in_doubt = [_claimed(row) for row in cursor.fetchall()]
    settle([_outcome_of_doubt(row) for row in in_doubt])
    for name in channels():
        settle(rerouted(claims.claim_orphans(name, BATCH)))
    _unpark()
    _heal_queues()
    signal.notify(_due_queues())


def _claimed(row: Sequence[Any]) -> Claimed:
    return Claimed(
        id=row[0], tenant_id=row[1], recipient_id=row[2], account_id=row[3], channel=row[4],
        address=Address(row[5], row[6], row[7]), lane=row[8], mode=row[9], content={}, attempt=row[10], fence=row[11],
        accepted_at=row[12], notification_id=row[13], campaign_id=row[14], category=row[15],
        not_after=row[16],
    )  # fmt: skip


def _outcome_of_doubt(row: Claimed) -> Outcome:
    """A worker died while this row was on the wire: the channel says whether it may be repeated."""
    if row.not_after is not None and row.not_after <= datetime.now(UTC):
        return Outcome(row, Status.UNKNOWN, Reason.IN_DOUBT, "the worker was lost while sending")
    if channels()[row.channel].repeat_when_in_doubt and row.attempt <= len(SCHEDULE):
        return Outcome(row, Status.QUEUED, Reason.IN_DOUBT, "the worker was lost while sending")
    return Outcome(row, Status.UNKNOWN, Reason.IN_DOUBT, "the worker was lost while sending", dead_letter=True)


def _unpark() -> None:
    """Parked rows that came due join their line, or take its turn if it is free. Rows of campaigns have no line."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_PARKED)
            rows = cursor.fetchall()
        keys: dict[uuid.UUID, ordering.Key | None] = {
            row[0]: (row[1], row[2], row[3], row[4], row[5]) if row[6] is None else None for row in rows
        }
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
    """Read after the lines were locked: another sweep may have been faster, and its row have left since; a turn given
    to that row would never be passed on."""
    with connection.cursor() as cursor:
        cursor.execute(_STILL_PARKED, [ids])
        return [row[0] for row in cursor.fetchall()]


def _heal_queues() -> None:
    """Safety net: settle passes turns on in its own transaction, so this finds nothing unless somebody edited rows."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_ORPHANED)
            keys = [(r[0], r[1], r[2], r[3], r[4]) for r in cursor.fetchall()]
        ordering.pass_on([each.id for each in ordering.lock(keys).values() if not each.turn_taken])


def _due_queues() -> set[str]:
    """Queues with a due row; one index probe for each channel and lane."""
    found: set[str] = set()
    with connection.cursor() as cursor:
        for name in channels():
            for lanes in SHARED:
                cursor.execute(_DUE, [name, [int(lane) for lane in lanes]])
                if cursor.fetchone()[0]:
                    found.add(queue_of(name, lanes[0]))
    return found
