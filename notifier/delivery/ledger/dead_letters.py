"""Re-drive dead letters: deliveries that exhausted their attempts."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime

from django.db import connection, transaction

from notifier.channels.queues import queue_of
from notifier.delivery.ledger import history, ordering
from notifier.delivery.wakeup import signal
from notifier.models import DeadLetter, Delivery
from notifier.vocabulary.ids import new_id
from notifier.vocabulary.status import QueuePosition, Status

_REVIVE = f"""
UPDATE notifier_delivery d SET status = {Status.QUEUED}, reason = '', attempt = 0, due_at = now(), settled_at = NULL,
  lease_until = NULL, queue_position = v.queue_position, fence = d.fence + 1
FROM unnest(%s::uuid[], %s::smallint[]) AS v (id, queue_position)
WHERE d.id = v.id AND d.tenant_id = %s AND d.status IN ({Status.FAILED}, {Status.UNKNOWN}) AND d.content IS NOT NULL
RETURNING d.id
"""


def redrive(tenant_id: uuid.UUID, dead_letter_ids: Sequence[uuid.UUID]) -> int:
    """Queue these dead letters of the tenant again, with new attempts; returns how many. A recipient who opted out
    meanwhile gets nothing: every send checks consent again."""
    with transaction.atomic():
        letters = list(
            DeadLetter.objects.select_for_update().filter(tenant_id=tenant_id, id__in=dead_letter_ids, redriven_at=None)
        )
        rows = list(
            Delivery.objects.filter(
                tenant_id=tenant_id,
                id__in=[x.delivery_id for x in letters],
                status__in=[Status.FAILED, Status.UNKNOWN],
                content__isnull=False,
            ).order_by("id")
        )
        locked = ordering.lock([_key(row) for row in rows if row.campaign_id is None], create_missing=True)
        # rows of campaigns have no ordering queue
        positions = [_position_in(locked.get(_key(r)) if r.campaign_id is None else None) for r in rows]
        with connection.cursor() as cursor:
            cursor.execute(_REVIVE, [[r.id for r in rows], positions, tenant_id])
            revived = {delivery_id for (delivery_id,) in cursor.fetchall()}
        ordering.save(locked.values())
        now = datetime.now(UTC)
        DeadLetter.objects.filter(delivery_id__in=revived).update(redriven_at=now)
        _record([r for r in rows if r.id in revived], now)
        queues = {queue_of(r.channel, r.lane) for r in rows if r.id in revived}
        transaction.on_commit(lambda: signal.notify(queues))
    return len(revived)


def _record(rows: Sequence[Delivery], now: datetime) -> None:
    """Write the end of the earlier attempts, which the rows forget, and the re-drive."""
    redriven = history.Step("redriven", "", now)
    steps = [(row, step) for row in rows for step in (history.last_step(row, row.settled_at or now), redriven)]
    history.add_events([history.EventRow(new_id(), row.tenant_id, row.id, *step) for row, step in steps])


def _key(row: Delivery) -> ordering.Key:
    return (row.tenant_id, row.recipient_id, row.channel, row.lane, row.mode)


def _position_in(ordering_queue: ordering.OrderingQueue | None) -> int:
    """Join the end of the queue, or take its free turn."""
    if ordering_queue is None:
        return int(QueuePosition.HAS_TURN)
    ordering_queue.unfinished += 1
    if ordering_queue.turn_taken:
        return int(QueuePosition.WAITING)
    ordering_queue.turn_taken = True
    return int(QueuePosition.HAS_TURN)
