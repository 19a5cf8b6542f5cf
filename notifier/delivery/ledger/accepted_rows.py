"""The rows that acceptance stores, of notifications and deliveries, and the one statement that lets them join their
ordering queues and inserts them."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter
from typing import Annotated, Any, NamedTuple

from notifier.delivery.infra import bulk
from notifier.delivery.ledger import ordering
from notifier.vocabulary.ids import new_id
from notifier.vocabulary.status import Lane, Mode, QueuePosition, Reason, Status


@dataclass(slots=True)
class NotificationRow:
    """One row of notifier_notification. Fields are columns, in the order of SQL; the annotation names the type. The
    columns that all rows of a call share are not among the fields (SharedValues)."""

    id: Annotated[uuid.UUID, "uuid"]
    recipient_id: Annotated[uuid.UUID, "uuid"]
    version_id: Annotated[uuid.UUID, "uuid"]
    category: Annotated[str, "text"]
    mode: Annotated[Mode, "text"]
    lane: Annotated[Lane, "smallint"]
    data: Annotated[Mapping[str, Any], "jsonb"]
    send_at: Annotated[datetime | None, "timestamptz"]
    not_after: Annotated[datetime | None, "timestamptz"]
    group_key: Annotated[str, "text"]


@dataclass(slots=True, kw_only=True)
class DeliveryRow:
    """One row of notifier_delivery, without `seq`, which the statement numbers, and without what all rows share."""

    id: Annotated[uuid.UUID, "uuid"] = field(default_factory=new_id)
    notification_id: Annotated[uuid.UUID, "uuid"]
    recipient_id: Annotated[uuid.UUID, "uuid"]
    category: Annotated[str, "text"]
    channel: Annotated[str, "text"]
    platform: Annotated[str, "text"]
    address: Annotated[str, "text"]
    device_id: Annotated[uuid.UUID | None, "uuid"]
    account_id: Annotated[uuid.UUID | None, "uuid"] = None
    lane: Annotated[Lane, "smallint"]
    status: Annotated[Status, "smallint"]
    reason: Annotated[Reason | str, "text"] = ""
    detail: Annotated[str, "text"] = ""
    mode: Annotated[Mode, "text"]
    content: Annotated[Mapping[str, Any] | None, "jsonb"] = None
    due_at: Annotated[datetime, "timestamptz"]
    not_after: Annotated[datetime | None, "timestamptz"]
    queue_position: Annotated[QueuePosition, "smallint"] = QueuePosition.HAS_TURN
    settled_at: Annotated[datetime | None, "timestamptz"] = None

    @property
    def queue_key(self) -> ordering.OwnKey:
        return (self.recipient_id, self.channel, self.lane, self.mode)


class SharedValues(NamedTuple):
    """The values that all rows of a call share, in the order of SQL."""

    tenant_id: uuid.UUID
    now: datetime


_NOTIFICATION = bulk.columns_of(NotificationRow)
_DELIVERY = bulk.columns_of(DeliveryRow)
_notification_values = attrgetter(*_NOTIFICATION)
_delivery_values = attrgetter(*_DELIVERY)
_SEQ = f"CASE u.status WHEN {Status.QUEUED} THEN nextval('notifier_delivery_seq') ELSE 0 END"
_OF_QUEUE = "recipient_id, channel, lane, mode"
# a subquery in the list of columns, not a join: a join may change the order of the rows, and `seq` is their order
_POSITION = f"""
CASE WHEN u.queue_position = {QueuePosition.HAS_TURN}
  AND (u.recipient_id, u.channel, u.lane, u.mode) IN (SELECT {_OF_QUEUE} FROM joined WHERE turn_was_taken)
THEN {QueuePosition.WAITING} ELSE u.queue_position END
"""
_SHARED = {"tenant_id": "%b::uuid"}
_OF_NOTIFICATIONS = {**_SHARED, "created_at": "%b::timestamptz"}
_OF_DELIVERIES = {
    **_SHARED,
    "accepted_at": "%b::timestamptz",
    "attempt": "0",
    "fence": "0",
    "provider_ref": "''",
    "seq": _SEQ,
    "queue_position": _POSITION,
}


# Nothing is stored when a queue is overfull. The condition reads all queues, so each row's number is taken while all
# queues are locked, and numbers follow the order of acceptance.
# Rows as JSON (json_to_recordset) instead of arrays were tried: for one message the same cost to 10 %
_STORE = f"""
WITH joined AS ({ordering.JOIN}),
  verdict AS (SELECT coalesce(bool_and(unfinished <= %b::integer), true) AS fits FROM joined),
  notified AS (
    {bulk.insert_statement("notifier_notification", _NOTIFICATION, _OF_NOTIFICATIONS)}
    WHERE (SELECT fits FROM verdict)),
  stored AS (
    {bulk.insert_statement("notifier_delivery", _DELIVERY, _OF_DELIVERIES)} WHERE (SELECT fits FROM verdict))
SELECT {ordering.ANSWER} FROM joined WHERE turn_was_taken OR unfinished > %b::integer
"""


def store(
    shared: SharedValues,
    notifications: Sequence[NotificationRow],
    deliveries: Sequence[DeliveryRow],
    joined: Collection[ordering.Joined],
    limit: int,
) -> list[ordering.Answer]:
    """Let the rows join their queues, and insert the rows, unless a queue would then have more than `limit` rows:
    nothing is inserted then, and `ordering.leave` undoes the joining. Returns the queues with more rows than that, and
    those whose turn another message has: a row stored as WAITING although its `queue_position` is HAS_TURN."""
    values = [
        *(shared.tenant_id, *ordering.by_column(joined), limit),
        *(*shared, *bulk.by_column(_NOTIFICATION, map(_notification_values, notifications))),
        *(*shared, *bulk.by_column(_DELIVERY, map(_delivery_values, deliveries))),
        limit,
    ]
    with bulk.cursor() as cursor:
        cursor.execute(_STORE, values, binary=True, prepare=True)
        return list(map(ordering.answer_of, cursor.fetchall()))
