"""What happened to a delivery, step by step. Its row tells the first step and the last; DeliveryEvent keeps what a row
cannot tell: retries, holds, re-drives, reading. Most messages have nothing of that, and no event (decision 011)."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from notifier.models import Delivery, DeliveryEvent
from notifier.vocabulary.ids import id_floor, id_ms
from notifier.vocabulary.status import Status

#: the clocks of two processes, each of which makes one of two ids, differ by less
_SKEW_MS = 3_600_000


class Step(NamedTuple):
    what: str
    detail: str
    at: datetime


def not_before(ids: Iterable[uuid.UUID]) -> uuid.UUID:
    """The id below which no month's partition need be looked at for what was made with these, or after them."""
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
    """The whole history from the row and its events, purely."""
    end = [] if delivery.settled_at is None else [last_step(delivery, delivery.settled_at)]
    first = Status.QUEUED if delivery.campaign_id is None else Status.ARMED
    # what was refused when it was asked for never waited
    begin = [] if delivery.settled_at == delivery.accepted_at else [Step(first.label, "", delivery.accepted_at)]
    return begin + sorted([*end, *between], key=lambda step: step.at)


def last_step(delivery: Delivery, at: datetime) -> Step:
    """How the row ended, `at` being when."""
    return Step(Status(delivery.status).label, delivery.detail or delivery.reason, at)
