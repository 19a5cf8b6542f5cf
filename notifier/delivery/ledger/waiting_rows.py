"""Rows of notifications that have not left: cancel them, or give them another time; rows of an erased recipient: end
them. Each locks the ordering queues first, as every writer does, and pass on the turns that become free."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db import transaction

from notifier.channels.queues import queue_of
from notifier.delivery.infra import bulk
from notifier.delivery.ledger import claims, ordering, route_rows
from notifier.delivery.ledger.history import not_before
from notifier.delivery.ledger.settle import store_dead_letters
from notifier.delivery.wakeup import signal
from notifier.delivery.webhooks import deliveries as webhooks
from notifier.vocabulary.status import IN_QUEUE, QueuePosition, Reason, Status

_KEY = "d.tenant_id, d.recipient_id, d.channel, d.lane, d.mode"
_OF_NOTIFICATIONS = "d.notification_id = ANY(%(notifications)s::uuid[]) AND d.id >= %(low)s::uuid"
#: a claimed row has not begun: its worker loses the row with the fence
_NOT_LEFT = f"d.status IN ({Status.QUEUED}, {Status.CLAIMED})"
#: of rows that wait for a digest or an earlier step, something else decides the time
_IN_QUEUE = ", ".join(str(int(position)) for position in IN_QUEUE)
_UNTRIED = f"{_NOT_LEFT} AND d.queue_position IN ({_IN_QUEUE}) AND d.attempt = 0 AND d.reason <> '{Reason.IN_DOUBT}'"

# a row that is being sent, too: it may return to its queue
_UNFINISHED = f"d.status IN ({Status.QUEUED}, {Status.CLAIMED}, {Status.SENDING})"
_KEYS = f"SELECT DISTINCT {_KEY} FROM notifier_delivery d WHERE {_OF_NOTIFICATIONS} AND {_UNFINISHED}"

# a row whose earlier attempt got no answer may have arrived: it ends unknown, not cancelled
# The worker of a row that is `sending` may have written no request yet, and may queue the row again: the row is marked
# (claims.CANCEL_ASKED), its worker keeps it, and it ends with the worker's outcome. One statement for both, because a
# claim or a release may change the status at this moment. Rows are locked in the order of their ids, as workers do
_SENDING = f"d.status = {Status.SENDING}"
_CANCEL = f"""
UPDATE notifier_delivery d SET
  settled_at = CASE WHEN {_SENDING} THEN d.settled_at ELSE clock_timestamp() END,
  lease_until = CASE WHEN {_SENDING} THEN d.lease_until END,
  fence = d.fence + CASE WHEN {_SENDING} THEN 0 ELSE 1 END,
  status = CASE WHEN {_SENDING} THEN d.status WHEN d.reason = '{Reason.IN_DOUBT}' THEN {Status.UNKNOWN}
    ELSE {Status.CANCELLED} END,
  reason = CASE WHEN d.reason = '{Reason.IN_DOUBT}' AND NOT {_SENDING} THEN d.reason ELSE '{Reason.BY_REQUEST}' END
FROM (SELECT d.id FROM notifier_delivery d WHERE {_OF_NOTIFICATIONS} AND {_UNFINISHED} ORDER BY d.id FOR UPDATE) old
WHERE d.id = old.id AND d.id >= %(low)s::uuid AND {_UNFINISHED}
RETURNING {_KEY}, CASE WHEN NOT {_SENDING} THEN d.queue_position END, NOT {_SENDING}, d.id
"""

# A row becomes PARKED, and the sweep lets it join its queue when it is due. RETURNING knows no value from before the
# update, and whether the row had the turn is such a value
_MOVE = f"""
UPDATE notifier_delivery d SET due_at = %(due)s, status = {Status.QUEUED}, lease_until = NULL, fence = d.fence + 1,
  queue_position = {QueuePosition.PARKED}
FROM (SELECT id, queue_position FROM notifier_delivery d WHERE {_OF_NOTIFICATIONS} AND {_UNTRIED} FOR UPDATE) old
WHERE d.id = old.id
RETURNING {_KEY}, old.queue_position, false, d.id
"""
# the route moves with its first step: the later steps leave as long after it as they did
_MOVE_LATER_STEPS = f"""
UPDATE notifier_delivery d SET due_at = %(due)s
WHERE {_OF_NOTIFICATIONS} AND d.status = {Status.QUEUED} AND d.queue_position = {QueuePosition.LATER_STEP}
"""


# rows of campaigns are in no ordering queue
_UNFINISHED_OF_RECIPIENT = f"""
SELECT d.id, d.campaign_id IS NULL, {_KEY} FROM notifier_delivery d
WHERE d.recipient_id = %(recipient)s AND d.tenant_id = %(tenant)s AND {_UNFINISHED}
"""
# by their ids: a row that is accepted meanwhile may be in a queue that is not locked
_END_ERASED = f"""
UPDATE notifier_delivery d SET settled_at = clock_timestamp(), lease_until = NULL, fence = d.fence + 1,
  status = CASE WHEN d.reason = '{Reason.IN_DOUBT}' THEN {Status.UNKNOWN} ELSE {Status.SUPPRESSED} END,
  reason = CASE WHEN d.reason = '{Reason.IN_DOUBT}' THEN d.reason ELSE '{Reason.RECIPIENT_ERASED}' END
WHERE d.id = ANY(%(ids)s::uuid[]) AND d.id >= %(low)s::uuid AND d.id <= %(high)s::uuid AND {_NOT_LEFT}
RETURNING {_KEY}, CASE WHEN d.campaign_id IS NULL THEN d.queue_position END, true, d.id
"""

#: what a message says that may have left after the backup from which the database was restored
RESTORED = "restored from a backup: it may have left after the backup"
# without those of open digests: their digest decides
_DUE_BEFORE = f"""
SELECT d.id, d.tenant_id, d.channel, d.attempt, d.campaign_id IS NULL, {_KEY} FROM notifier_delivery d
WHERE d.id > %(after)s AND {_NOT_LEFT} AND d.due_at <= %(until)s AND d.channel = ANY(%(channels)s::text[])
  AND d.queue_position <> {QueuePosition.IN_DIGEST} ORDER BY d.id LIMIT {{batch}}
"""
_END_IN_DOUBT = f"""
UPDATE notifier_delivery d SET settled_at = clock_timestamp(), lease_until = NULL, fence = d.fence + 1,
  status = {Status.UNKNOWN}, reason = '{Reason.IN_DOUBT}', detail = '{RESTORED}'
WHERE d.id = ANY(%(ids)s::uuid[]) AND d.id >= %(low)s::uuid AND d.id <= %(high)s::uuid AND {_NOT_LEFT}
RETURNING {_KEY}, CASE WHEN d.campaign_id IS NULL THEN d.queue_position END, true, d.id
"""

_OF_GROUP = f"""
SELECT n.id FROM notifier_notification n
WHERE n.tenant_id = %s AND n.group_key = %s AND n.mode = ANY(%s)
  AND EXISTS (SELECT FROM notifier_delivery d WHERE d.notification_id = n.id AND {_UNFINISHED}
              AND NOT ({_SENDING} AND {claims.CANCEL_ASKED}))
ORDER BY n.id LIMIT %s
"""


def waiting_of_group(tenant_id: uuid.UUID, group_key: str, modes: Sequence[str], most: int) -> list[uuid.UUID]:
    """Up to `most` of the tenant's notifications with this group key of which a message has not ended, oldest first;
    not those whose messages in flight are all to be cancelled."""
    with bulk.cursor() as cursor:
        cursor.execute(_OF_GROUP, [tenant_id, group_key, list(modes), most])
        return [notification_id for (notification_id,) in cursor.fetchall()]


class Cancelled(NamedTuple):
    """How many messages ended, and how many are in flight: these keep the provider's answer, and are not tried
    again."""

    ended: int = 0
    in_flight: int = 0


def cancel(notifications: Sequence[uuid.UUID]) -> Cancelled:
    """Cancel the messages of these notifications that have not left, those of digests and later steps as well."""
    if not notifications:
        return Cancelled()
    with transaction.atomic():
        changed = _change(_CANCEL, _values(notifications))
        route_rows.end(notifications)
    ended = sum(row[6] for row in changed)
    return Cancelled(ended, len(changed) - ended)


def move(notifications: Sequence[uuid.UUID], due: datetime) -> int:
    """Let the messages of these notifications that nothing was tried for leave at `due`; returns how many. The later
    steps of a route move with an earlier one. A message that waits for its digest stays in it."""
    if not notifications:
        return 0
    values = {**_values(notifications), "due": due}
    with transaction.atomic():
        moved = len(_change(_MOVE, values))
        if moved:
            with bulk.cursor() as cursor:
                cursor.execute(_MOVE_LATER_STEPS, values)
            route_rows.move(notifications, due)
    return moved


def end_erased(tenant_id: uuid.UUID, recipient_id: uuid.UUID) -> int:
    """Suppress all messages to an erased recipient that have not left, those of campaigns as well; returns how many. No
    message waits for its time, its account or its campaign, which may be paused for months."""
    with transaction.atomic(), bulk.cursor() as cursor:
        cursor.execute(_UNFINISHED_OF_RECIPIENT, {"tenant": tenant_id, "recipient": recipient_id})
        rows = cursor.fetchall()
        if not rows:
            return 0
        locked = ordering.lock((tuple(key) for _, has_queue, *key in rows if has_queue), create_missing=True)
        ids = sorted(row[0] for row in rows)
        cursor.execute(_END_ERASED, {"ids": ids, "low": ids[0], "high": ids[-1]})
        changed = cursor.fetchall()
        _leave_queues(locked, changed)
        webhooks.ended(tenant_id, [row[-1] for row in changed])
    return len(changed)


def end_in_doubt(
    channels: Sequence[str], until: datetime, after: uuid.UUID, batch: int = 1_000
) -> tuple[int, uuid.UUID]:
    """End up to `batch` messages of these channels with ids after this one that were due by then: unknown, and dead
    letters, which an operator can send again. Returns how many, and the last id. After the restore of a backup, when no
    worker runs."""
    with transaction.atomic(), bulk.cursor() as cursor:
        cursor.execute(_DUE_BEFORE.format(batch=batch), {"channels": list(channels), "until": until, "after": after})
        rows = cursor.fetchall()
        if not rows:
            return 0, after
        locked = ordering.lock((tuple(row[5:]) for row in rows if row[4]), create_missing=True)
        ids = [row[0] for row in rows]
        cursor.execute(_END_IN_DOUBT, {"ids": ids, "low": ids[0], "high": ids[-1]})
        changed = cursor.fetchall()
        _leave_queues(locked, changed)
        webhooks.ended_of_tenants((row[0], row[7]) for row in changed)
        store_dead_letters([(tenant, pk, channel, attempt, RESTORED) for pk, tenant, channel, attempt, *_ in rows])
    return len(rows), ids[-1]


def _values(notifications: Sequence[uuid.UUID]) -> dict[str, Any]:
    return {"notifications": list(notifications), "low": not_before(notifications)}


#: of a changed row: its key, its position in the queue that it leaves (None: it leaves none), whether it ended, its id
_Changed = tuple[uuid.UUID, uuid.UUID, str, int, str, int | None, bool, uuid.UUID]


def _change(statement: str, values: Mapping[str, Any]) -> list[_Changed]:
    with bulk.cursor() as cursor:
        cursor.execute(_KEYS, values)
        # the queue of a later step may have no row yet, and the sweep that starts the step locks it first, too
        locked = ordering.lock(cursor.fetchall(), create_missing=True)
        cursor.execute(statement, values)
        changed: list[_Changed] = cursor.fetchall()
    _leave_queues(locked, changed)
    webhooks.ended_of_tenants((row[0], row[7]) for row in changed if row[6])
    return changed


def _leave_queues(
    locked: dict[ordering.Key, ordering.OrderingQueue],
    changed: Sequence[_Changed],
) -> None:
    """Count the rows that ended, free the turns of rows that had one, and pass the turns on. A row outside of its queue
    was not counted; a row without a position has no queue."""
    touched: dict[ordering.Key, ordering.OrderingQueue] = {}
    for tenant, recipient, channel, lane, mode, position, ended, _ in changed:
        if position not in IN_QUEUE:
            continue
        key = (tenant, recipient, channel, lane, mode)
        touched[key] = queue = locked[key]
        queue.unfinished -= ended
        queue.turn_taken &= position != QueuePosition.HAS_TURN
    ordering.save(touched.values())
    turned = ordering.pass_on([queue.id for queue in touched.values() if queue.unfinished and not queue.turn_taken])
    if turned:
        queues = {queue_of(channel, lane) for channel, lane in turned}
        transaction.on_commit(lambda: signal.notify(queues))
