"""The history of a delivery, step by step. The delivery's row has the first step and the last; DeliveryEvent keeps the
steps between: retries, holds, re-drives, reading, what providers report. Most messages have no such step, and no
event (decision 011)."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated, NamedTuple

from notifier.delivery.infra import bulk
from notifier.models import Delivery, DeliveryEvent
from notifier.vocabulary.ids import id_floor, id_ms
from notifier.vocabulary.receipts import EventKind
from notifier.vocabulary.status import TAKEN, Reason, Status

#: the clock of the process that makes a delivery's id, and the clock of the process that makes the id of the delivery's
#: event, differ by less
_SKEW_MS = 3_600_000


class Step(NamedTuple):
    what: str
    detail: str
    at: datetime


class EventRow(NamedTuple):
    """One row of notifier_deliveryevent. Fields are columns, in the order of SQL."""

    id: Annotated[uuid.UUID, "uuid"]
    tenant_id: Annotated[uuid.UUID, "uuid"]
    delivery_id: Annotated[uuid.UUID, "uuid"]
    what: Annotated[str, "text"]
    detail: Annotated[str, "text"]
    at: Annotated[datetime, "timestamptz"]


_EVENT = bulk.columns_of(EventRow)


def add_events(rows: Sequence[EventRow]) -> None:
    """Insert all in one statement."""
    bulk.insert("notifier_deliveryevent", _EVENT, rows)


_ONCE = f"{bulk.insert_statement('notifier_deliveryevent', _EVENT)} ON CONFLICT DO NOTHING RETURNING id"


def add_steps_once(rows: Sequence[EventRow]) -> list[EventRow]:
    """Insert events whose ids are derived from the delivery and the step: a repeat inserts nothing. Returns the new
    ones, in the order of time."""
    if not rows:
        return []
    new = bulk.fetch_ids(_ONCE, bulk.by_column(_EVENT, sorted(rows)))
    return sorted((row for row in rows if row.id in new), key=lambda row: row.at)


def not_before(ids: Iterable[uuid.UUID]) -> uuid.UUID:
    """The smallest id that a row can have that was made with these ids, or after them: prunes older partitions."""
    return id_floor(min(map(id_ms, ids)) - _SKEW_MS)


def load_histories(deliveries: Sequence[Delivery]) -> dict[uuid.UUID, list[Step]]:
    """delivery id -> its steps, oldest first. One query."""
    between: defaultdict[uuid.UUID, list[Step]] = defaultdict(list)
    if deliveries:
        ids = [d.pk for d in deliveries]
        rows = DeliveryEvent.objects.filter(delivery_id__in=ids, pk__gte=not_before(ids))
        for event in rows.order_by("at", "pk"):
            between[event.delivery_id].append(Step(event.what, event.detail, event.at))
    return {d.pk: history_of(d, between[d.pk]) for d in deliveries}


def history_of(delivery: Delivery, between: Iterable[Step]) -> list[Step]:
    """The whole history, from the row and the steps of its events; pure."""
    between = list(between)
    end = [] if delivery.settled_at is None else [_settled_step(delivery, delivery.settled_at, between)]
    first = Status.QUEUED if delivery.campaign_id is None else Status.ARMED
    # a delivery that was settled when it was accepted never waited
    begin = [] if delivery.settled_at == delivery.accepted_at else [Step(first.label, "", delivery.accepted_at)]
    return begin + sorted([*end, *between], key=lambda step: step.at)


#: the names of steps that providers report
_REPORTED = frozenset({*EventKind, "machine_opened", "machine_clicked"})


def _settled_step(delivery: Delivery, at: datetime, between: Sequence[Step]) -> Step:
    """How the delivery was settled. Receipts have moved the row's status on since then, if there are any."""
    moved_on = delivery.status in TAKEN or delivery.reason == Reason.UNDELIVERED
    if moved_on and any(step.what in _REPORTED for step in between):
        return Step(Status.SENT.label, "", at)
    return last_step(delivery, at)


def last_step(delivery: Delivery, at: datetime) -> Step:
    """The row's final status and its reason as a step, at that time."""
    return Step(Status(delivery.status).label, delivery.detail or delivery.reason, at)
