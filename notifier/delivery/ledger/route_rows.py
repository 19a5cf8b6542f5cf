"""The statements of fallback routes: their rows, the messages of their steps, and the wakeup of a route whose message
failed. `notifier.delivery.routes` decides."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Annotated, NamedTuple

from notifier.delivery.infra import bulk
from notifier.delivery.ledger import ordering
from notifier.delivery.ledger.history import not_before
from notifier.delivery.ledger.reports.inbox_seen import seen_in_inbox
from notifier.delivery.webhooks import deliveries as webhooks
from notifier.vocabulary.status import QueuePosition, Reason, Status

#: steps in the history of a message that only a person makes
_BY_PERSON = ("read", "opened", "clicked", "complained", "unsubscribed")


class RouteRow(NamedTuple):
    """One row of notifier_route. Fields are columns, in the order of SQL."""

    id: Annotated[uuid.UUID, "uuid"]
    tenant_id: Annotated[uuid.UUID, "uuid"]
    notification_id: Annotated[uuid.UUID, "uuid"]
    steps: Annotated[str, "jsonb"]  #: JSON text
    step: Annotated[int, "smallint"]
    due_at: Annotated[datetime | None, "timestamptz"]


_ROUTE = bulk.columns_of(RouteRow)


def store(rows: Sequence[RouteRow]) -> None:
    """Insert the routes of accepted notifications."""
    bulk.insert("notifier_route", _ROUTE, rows)


# ---- wakeups -------------------------------------------------------------------------------------------------------

# waits for a sweep that holds the route: it may have read the message before it failed. The order of ids lets two
# transactions that wake the same routes take turns
_WAKE = """
UPDATE notifier_route r SET due_at = least(r.due_at, now()) FROM (
  SELECT id FROM notifier_route WHERE {which} AND due_at IS NOT NULL ORDER BY id FOR UPDATE) woken
WHERE r.id = woken.id
"""
_WAKE_BY_NOTIFICATIONS = _WAKE.format(which="notification_id = ANY(%b::uuid[])")
_WAKE_BY_DELIVERIES = _WAKE.format(
    which="notification_id IN (SELECT notification_id FROM notifier_delivery"
    " WHERE id = ANY(%b::uuid[]) AND id >= %b AND id <= %b)"
)


def wake(notifications: Collection[uuid.UUID]) -> None:
    """Let the sweep look at the routes of these notifications now, because a message of them failed."""
    if notifications:
        with bulk.cursor() as cursor:
            cursor.execute(_WAKE_BY_NOTIFICATIONS, [sorted(notifications)], prepare=True)


def wake_by_deliveries(ids: Collection[uuid.UUID]) -> None:
    """The same, by the ids of the messages that failed."""
    if ids:
        ordered = sorted(ids)
        with bulk.cursor() as cursor:
            cursor.execute(_WAKE_BY_DELIVERIES, [ordered, ordered[0], ordered[-1]], prepare=True)


# ---- looks ---------------------------------------------------------------------------------------------------------

_DUE = "SELECT notification_id FROM notifier_route WHERE due_at <= %s ORDER BY due_at LIMIT %s"


def due(now: datetime, most: int) -> list[uuid.UUID]:
    """Notifications whose routes are due, the longest first. Locks nothing."""
    with bulk.cursor() as cursor:
        cursor.execute(_DUE, [now, most], prepare=True)
        return [notification_id for (notification_id,) in cursor.fetchall()]


_IS_ANY_DUE = "SELECT EXISTS (SELECT 1 FROM notifier_route WHERE due_at <= %s)"


def is_any_due(before: datetime) -> bool:
    """Whether a route is due before this time."""
    with bulk.cursor() as cursor:
        cursor.execute(_IS_ANY_DUE, [before], prepare=True)
        [is_due] = cursor.fetchone() or (False,)
        return bool(is_due)


_OF_NOTIFICATIONS = "d.notification_id = ANY(%(notifications)s::uuid[]) AND d.id >= %(low)s::uuid"
_UNFINISHED = f"d.status IN ({Status.QUEUED}, {Status.CLAIMED}, {Status.SENDING})"
_KEYS = f"""
SELECT DISTINCT d.tenant_id, d.recipient_id, d.channel, d.lane, d.mode FROM notifier_delivery d
WHERE {_OF_NOTIFICATIONS} AND {_UNFINISHED}
"""
_LOCK_WAITING = f"""
SELECT d.id FROM notifier_delivery d WHERE {_OF_NOTIFICATIONS} AND d.status = {Status.QUEUED}
ORDER BY d.id FOR UPDATE SKIP LOCKED
"""
_LOCK_ROUTES = f"""
SELECT {", ".join(RouteRow._fields)} FROM notifier_route r
WHERE r.notification_id = ANY(%(notifications)s::uuid[]) AND r.due_at <= %(now)s ORDER BY r.id FOR UPDATE SKIP LOCKED
"""


class Locked(NamedTuple):
    """What one transaction of the sweep holds."""

    queues: dict[ordering.Key, ordering.OrderingQueue]
    deliveries: set[uuid.UUID]  #: queued messages
    routes: list[RouteRow]


def lock(notifications: Collection[uuid.UUID], now: datetime) -> Locked:
    """Lock the ordering queues of these notifications' unfinished messages, then their queued messages and their due
    routes. As every writer locks the queues first, and the rows of messages and routes that another transaction holds
    are left out, the sweep waits for nothing while it holds a row."""
    values = {"notifications": list(notifications), "low": not_before(notifications), "now": now}
    with bulk.cursor() as cursor:
        cursor.execute(_KEYS, values, prepare=True)
        # the queue of a later step may have no row yet
        queues = ordering.lock(cursor.fetchall(), create_missing=True)
        cursor.execute(_LOCK_WAITING, values, prepare=True)
        deliveries = {delivery_id for (delivery_id,) in cursor.fetchall()}
        cursor.execute(_LOCK_ROUTES, values, prepare=True)
        return Locked(queues, deliveries, [RouteRow._make(row) for row in cursor.fetchall()])


class RoutedRow(NamedTuple):
    """One message of a route, with what its history says. Fields are columns, in the order of SQL."""

    notification_id: uuid.UUID
    id: uuid.UUID
    tenant_id: uuid.UUID
    recipient_id: uuid.UUID
    channel: str
    lane: int
    mode: str
    account_id: uuid.UUID | None
    status: int
    reason: str
    queue_position: int
    attempt: int
    due_at: datetime
    settled_at: datetime | None
    retried_at: datetime | None
    was_seen: bool | None
    was_delivered: bool | None

    @property
    def queue_key(self) -> ordering.Key:
        return (self.tenant_id, self.recipient_id, self.channel, self.lane, self.mode)


_OWN = ", ".join(f"d.{name}" for name in RoutedRow._fields[: RoutedRow._fields.index("retried_at")])
_ROWS = f"""
SELECT {_OWN}, e.retried_at, e.was_seen, e.was_delivered
FROM notifier_delivery d LEFT JOIN LATERAL (
  SELECT min(at) FILTER (WHERE what = 'retry') AS retried_at, bool_or(what = ANY(%(by_person)s)) AS was_seen,
    bool_or(what = 'delivered') AS was_delivered
  FROM notifier_deliveryevent WHERE delivery_id = d.id AND id >= %(low)s::uuid) e ON true
WHERE {_OF_NOTIFICATIONS} ORDER BY d.id
"""


def read_rows(notifications: Collection[uuid.UUID]) -> list[RoutedRow]:
    """The messages of these notifications."""
    values = {"notifications": list(notifications), "low": not_before(notifications), "by_person": list(_BY_PERSON)}
    with bulk.cursor() as cursor:
        cursor.execute(_ROWS, values, prepare=True)
        rows = [RoutedRow._make(row) for row in cursor.fetchall()]
    # the history has what the recipient did; that the inbox has shown a message is a number of the whole inbox
    seen = seen_in_inbox([row.id for row in rows if row.channel == "in_app"])
    return [row._replace(was_seen=True) if row.id in seen else row for row in rows]


# ---- changes -------------------------------------------------------------------------------------------------------

_START = f"""
UPDATE notifier_delivery SET queue_position = {QueuePosition.PARKED}
WHERE id = ANY(%s) AND id >= %s AND status = {Status.QUEUED} AND queue_position = {QueuePosition.LATER_STEP}
"""
_STOP_COLUMNS: bulk.Columns = {"id": "uuid", "detail": "text"}
_STOP = f"""
UPDATE notifier_delivery d SET status = {Status.SUPPRESSED}, reason = '{Reason.NOT_NEEDED}', detail = u.detail,
  settled_at = clock_timestamp(), fence = d.fence + 1
FROM {bulk.unnest("u", _STOP_COLUMNS)} WHERE d.id = u.id AND d.id >= %s AND d.status = {Status.QUEUED}
RETURNING d.tenant_id, d.id
"""


def start(ids: Sequence[uuid.UUID]) -> None:
    """Park locked messages of a later step: the next part of the sweep lets them join their queues."""
    if ids:
        with bulk.cursor() as cursor:
            cursor.execute(_START, [list(ids), min(ids)], prepare=True)


def stop(messages: Sequence[tuple[uuid.UUID, str]]) -> None:
    """End locked messages that are not needed: id and detail of each."""
    if messages:
        with bulk.cursor() as cursor:
            columns = bulk.by_column(_STOP_COLUMNS, messages)
            cursor.execute(_STOP, [*columns, min(delivery_id for delivery_id, _ in messages)], prepare=True)
            ended = cursor.fetchall()
        webhooks.ended_of_tenants(ended)


_SAVED: bulk.Columns = {"id": "uuid", "step": "smallint", "due_at": "timestamptz"}
_SAVE = f"""
UPDATE notifier_route r SET step = u.step, due_at = u.due_at FROM {bulk.unnest("u", _SAVED)} WHERE r.id = u.id
"""


def save(routes: Sequence[RouteRow]) -> None:
    """Write locked routes back: their step, and when the sweep looks at them again."""
    if routes:
        with bulk.cursor() as cursor:
            columns = bulk.by_column(_SAVED, [(route.id, route.step, route.due_at) for route in routes])
            cursor.execute(_SAVE, columns, prepare=True)


_END = "UPDATE notifier_route SET due_at = NULL WHERE notification_id = ANY(%s) AND due_at IS NOT NULL"
_MOVE = "UPDATE notifier_route SET due_at = %s WHERE notification_id = ANY(%s) AND due_at IS NOT NULL"


def end(notifications: Sequence[uuid.UUID]) -> None:
    """The routes of cancelled notifications are over."""
    with bulk.cursor() as cursor:
        cursor.execute(_END, [list(notifications)], prepare=True)


def move(notifications: Sequence[uuid.UUID], due_at: datetime) -> None:
    """The first steps of these routes leave at another time, and the sweep looks at the routes then."""
    with bulk.cursor() as cursor:
        cursor.execute(_MOVE, [due_at, list(notifications)], prepare=True)
