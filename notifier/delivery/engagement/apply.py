"""Applies stored events: marks what machines did, counts what names a campaign, and hands the rest to the ledger."""

from __future__ import annotations

import dataclasses
import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import structlog
from django.db import InterfaceError, OperationalError, transaction

from notifier.delivery.engagement import counts, machines
from notifier.delivery.engagement.hits import BatchRow, Hit, insert, pack, unpack
from notifier.delivery.infra import bulk
from notifier.delivery.ledger import route_rows
from notifier.delivery.receipts.apply import Source, apply_events
from notifier.delivery.receipts.events import cleaned_events, time_of
from notifier.models import Delivery
from notifier.vocabulary.ids import new_id
from notifier.vocabulary.load import Work
from notifier.vocabulary.receipts import EventKind, ReceiptEvent
from tenants.load_shedding import may_run

log = structlog.get_logger("notifier.engagement")

#: rows of one transaction
_MOST_ROWS = 50
#: events wait for a message that is not settled yet: a campaign's outcomes reach the ledger at its end
_DELAYS = tuple(timedelta(seconds=seconds) for seconds in (5, 30, 120, 600, 1800))
#: while load is shed, events are applied when a route comes due so soon
_ROUTES_AHEAD = timedelta(minutes=1)
_LAST_DELAY, _LONGEST_WAIT = timedelta(hours=1), timedelta(days=7)
# SKIP LOCKED: two workers take different rows. By an array, which PostgreSQL makes once: it may run a subselect again
# for each row, and each run may choose other rows
_TAKE = """
DELETE FROM notifier_engagementbatch WHERE id = ANY(ARRAY(
  SELECT id FROM notifier_engagementbatch WHERE due_at <= statement_timestamp()
  ORDER BY due_at LIMIT %s FOR UPDATE SKIP LOCKED
))
RETURNING id, tenant_id, channel, events, received_at, due_at, attempts
"""


class _Group(NamedTuple):
    """Events of one tenant and channel that were stored at about the same time, and waited as often."""

    tenant_id: uuid.UUID
    channel: str
    attempts: int


def apply_due(batches: int = 20) -> int:
    """Apply what is due, in at most so many transactions; returns how many rows were taken. Engine role. A worker that
    is killed leaves its rows for the next one. While load is shed, events wait, unless a route comes due soon: what a
    recipient has seen decides whether its next step leaves."""
    if not (may_run(Work.ANALYTICS) or route_rows.is_any_due(datetime.now(UTC) + _ROUTES_AHEAD)):
        return 0
    taken = 0
    for _ in range(batches):
        with transaction.atomic():
            rows = _take()
            _apply_rows(rows)
        taken += len(rows)
        if len(rows) < _MOST_ROWS:
            break
    return taken


_IS_BEHIND = """
SELECT EXISTS (SELECT 1 FROM notifier_engagementbatch
               WHERE due_at < statement_timestamp() - interval '1 minute' AND attempts = 0)
"""


def is_behind() -> bool:
    """Whether events of more than a minute ago were never applied, as after load was shed."""
    with bulk.cursor() as cursor:
        cursor.execute(_IS_BEHIND, prepare=True)
        [behind] = cursor.fetchone() or (False,)
        return bool(behind)


def _take() -> list[BatchRow]:
    with bulk.cursor() as cursor:
        cursor.execute(_TAKE, [_MOST_ROWS], binary=True, prepare=True)
        return [BatchRow._make(row) for row in cursor.fetchall()]


def _apply_rows(rows: Sequence[BatchRow]) -> None:
    """Apply the rows together; when that fails, row by row, so that the failing row alone is dropped and makes no
    other tenant's events wait."""
    try:
        with transaction.atomic():
            for group, received_at, hits in _grouped(rows):
                _apply(group, received_at, hits)
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        if len(rows) > 1:
            for row in rows:
                _apply_rows([row])
            return
        log.error("events dropped", action="engagement", tenant=str(rows[0].tenant_id), error=type(error).__name__)


def _grouped(rows: Iterable[BatchRow]) -> list[tuple[_Group, datetime, list[Hit]]]:
    rows_of: defaultdict[_Group, list[BatchRow]] = defaultdict(list)
    for row in rows:
        rows_of[_Group(row.tenant_id, row.channel, row.attempts)].append(row)
    return [
        (group, min(row.received_at for row in of_group), [hit for row in of_group for hit in unpack(row.events)])
        for group, of_group in sorted(rows_of.items())
    ]


def _apply(group: _Group, received_at: datetime, hits: Sequence[Hit]) -> None:
    counts.add(group.tenant_id, [hit for hit in hits if hit.campaign])
    events = cleaned_events([event_of(hit) for hit in hits if hit.delivery], datetime.now(UTC))
    sent_at = _sent_at(group.tenant_id, events)
    # an id without a row is a mistyped address, or a guess
    known = [event for event in events if event.delivery_id in sent_at]
    source = Source(group.tenant_id, group.channel)
    # scanners and prefetchers read emails; an app or a service worker reports what a person did, in a second perhaps
    marked = mark_machines(known, sent_at) if group.channel == "email" else known
    waiting = apply_events(source, marked).waiting
    if waiting:
        _wait(group, received_at, waiting)


def mark_machines(
    events: Sequence[ReceiptEvent], sent_at: Mapping[uuid.UUID | None, datetime | None]
) -> list[ReceiptEvent]:
    """The events, with those of machines marked by their times. Pure. A message that is not settled has no time yet,
    and its events wait."""
    marked = list(events)
    clicks: defaultdict[uuid.UUID | None, list[int]] = defaultdict(list)
    for i, event in enumerate(events):
        sent = sent_at[event.delivery_id]
        if sent is None or event.kind not in (EventKind.OPENED, EventKind.CLICKED):
            continue
        if machines.by_time(time_of(event) - sent):
            marked[i] = dataclasses.replace(event, machine=True)
        elif event.kind is EventKind.CLICKED and event.url:
            clicks[event.delivery_id].append(i)
    for delivery_id, indexes in clicks.items():
        sent = sent_at[delivery_id]
        assert sent is not None  # the loop above skipped the others
        for n in machines.in_bursts([(time_of(events[i]) - sent, events[i].url) for i in indexes]):
            marked[indexes[n]] = dataclasses.replace(events[indexes[n]], machine=True)
    return marked


def _sent_at(tenant_id: uuid.UUID, events: Sequence[ReceiptEvent]) -> dict[uuid.UUID | None, datetime | None]:
    """Delivery -> when it was settled, of those deliveries of the tenant that exist."""
    ids = sorted({event.delivery_id for event in events if event.delivery_id})
    if not ids:
        return {}
    # the bounds let PostgreSQL skip the partitions of other months
    rows = Delivery.objects.filter(pk__in=ids, pk__gte=ids[0], pk__lte=ids[-1], tenant_id=tenant_id)
    return dict(rows.values_list("pk", "settled_at"))


def _wait(group: _Group, received_at: datetime, events: Sequence[ReceiptEvent]) -> None:
    now = datetime.now(UTC)
    if now - received_at > _LONGEST_WAIT:
        log.warning("events dropped", action="engagement", tenant=str(group.tenant_id), events=len(events))
        return
    delay = _DELAYS[group.attempts] if group.attempts < len(_DELAYS) else _LAST_DELAY
    packed = pack([hit_of(event) for event in events])
    attempts = min(group.attempts + 1, len(_DELAYS))
    insert([BatchRow(new_id(), group.tenant_id, group.channel, packed, received_at, now + delay, attempts)])


def event_of(hit: Hit) -> ReceiptEvent:
    """The event of a hit that names a delivery."""
    return ReceiptEvent(
        EventKind(hit.kind),
        delivery_id=uuid.UUID(hit.delivery),
        at=datetime.fromtimestamp(hit.at, UTC),
        machine=hit.machine,
        url=hit.url,
    )


def hit_of(event: ReceiptEvent) -> Hit:
    """The hit of an event that waits; marks of machines by time are made anew."""
    assert event.delivery_id is not None
    return Hit(
        str(event.kind), time_of(event).timestamp(), event.machine, delivery=event.delivery_id.hex, url=event.url
    )
