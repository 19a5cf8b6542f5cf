"""Applies events to the ledger, in one transaction: statuses, history, and what follows for addresses."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from notifier.delivery.ledger import history, route_rows
from notifier.delivery.ledger.reports import reported
from notifier.delivery.ledger.reports.reported import Move, ReportedRow
from notifier.delivery.receipts import consequences
from notifier.delivery.receipts.events import time_of
from notifier.delivery.receipts.progress import Step, is_of_a_machine, must_wait, next_step, step_of
from notifier.delivery.webhooks import deliveries as webhooks
from notifier.delivery.webhooks.deliveries import Told
from notifier.tracing import spans, switch
from notifier.tracing.context import TraceContext
from notifier.vocabulary.ids import derived_id, id_ms
from notifier.vocabulary.receipts import EventKind, ReceiptEvent
from notifier.vocabulary.status import Status
from notifier.vocabulary.webhooks import EVENT_OF_STATUS, EventType


@dataclass(frozen=True)
class Source:
    """Who reports: an account's provider, or the site itself (no account). Events touch rows of this tenant and
    channel only."""

    tenant_id: uuid.UUID
    channel: str
    account_id: uuid.UUID | None = None


@dataclass
class Applied:
    """`waiting`: events whose deliveries are not known yet or not final yet, to be applied again later."""

    waiting: list[ReceiptEvent] = field(default_factory=list)
    moved: int = 0
    #: of the messages that events were applied to, while traces are recorded
    traces: list[TraceContext] = field(default_factory=list)


def apply_events(source: Source, events: Sequence[ReceiptEvent]) -> Applied:
    """Apply cleaned events; a repeat changes nothing. Needs an open transaction."""
    about_messages, about_addresses, unknown_refs = _by_delivery(source, events)
    rows = reported.lock_rows(source.tenant_id, source.channel, about_messages.keys())
    applied = Applied(unknown_refs)
    final: list[tuple[ReportedRow, list[ReceiptEvent]]] = []
    for row in rows:
        of_row = about_messages.pop(row.id)
        if must_wait(Status(row.status)):
            applied.waiting += of_row
        else:
            final.append((row, of_row))
    applied.waiting += [event for of_unknown in about_messages.values() for event in of_unknown]
    moves = [move for row, of_row in final if (move := _move(row, of_row))]
    reported.move([move for move, _ in moves])
    new = history.add_steps_once([step for row, of_row in final for step in _steps(source, row, of_row)])
    webhooks.tell(source.tenant_id, told_events(moves, new))
    consequences.apply(source.tenant_id, source.channel, final, about_addresses)
    # last: it may wait for a sweep that holds a route
    route_rows.wake_by_deliveries([move.id for move, _ in moves if move.status in (Status.BOUNCED, Status.FAILED)])
    applied.moved = len(moves)
    if switch.recorder is not None:
        applied.traces = spans.contexts_of(reported.contents_with_trace([row.id for row, _ in final]))
    return applied


def _by_delivery(
    source: Source, events: Sequence[ReceiptEvent]
) -> tuple[dict[uuid.UUID, list[ReceiptEvent]], list[ReceiptEvent], list[ReceiptEvent]]:
    """Events by delivery; events about an address only; events whose reference no row has yet."""
    refs = {event.provider_ref for event in events if event.delivery_id is None and event.provider_ref}
    by_ref = reported.find_by_ref(source.tenant_id, source.account_id, refs) if source.account_id else {}
    about_messages: defaultdict[uuid.UUID, list[ReceiptEvent]] = defaultdict(list)
    about_addresses, unknown_refs = [], []
    for event in events:
        if delivery_id := event.delivery_id or by_ref.get(event.provider_ref):
            about_messages[delivery_id].append(event)
        elif event.provider_ref:
            unknown_refs.append(event)
        else:
            about_addresses.append(event)
    return about_messages, about_addresses, unknown_refs


def _move(row: ReportedRow, events: Sequence[ReceiptEvent]) -> tuple[Move, datetime] | None:
    """How far the events move the row, and the time of the first event that proves it."""
    step = next_step(Step(Status(row.status), row.reason), events)
    if step is None:
        return None
    at = min(time_of(event) for event in events if step_of(event) == step)
    explains = (EventKind.BOUNCED, EventKind.FAILED)
    detail = next((e.detail for e in events if e.kind in explains and e.detail), "")
    return Move(row.id, int(step.status), str(step.reason), detail if step.reason else ""), at


def _steps(source: Source, row: ReportedRow, events: Sequence[ReceiptEvent]) -> list[history.EventRow]:
    """The history, each kind of event once, the first that came. `sent` is the row's own step already."""
    first: dict[str, ReceiptEvent] = {}
    for event in sorted(events, key=time_of):
        if event.kind is not EventKind.SENT:
            first.setdefault(step_name(event), event)
    return [
        history.EventRow(
            derived_id(id_ms(row.id), str(row.id), name),
            source.tenant_id,
            row.id,
            name,
            event.detail or event.url,
            time_of(event),
        )
        for name, event in first.items()
    ]


#: steps of which webhooks tell, also when they come late; what a machine did is none of them. `failed` is told as a
#: status only: a message that has arrived has not failed, whatever a late report says
_TOLD = {
    str(kind): EventType(f"delivery.{kind}")
    for kind in (
        *(EventKind.DELIVERED, EventKind.OPENED, EventKind.CLICKED),
        *(EventKind.BOUNCED, EventKind.COMPLAINED),
    )
}


def told_events(moves: Iterable[tuple[Move, datetime]], steps: Iterable[history.EventRow]) -> list[Told]:
    """What webhooks tell: the new steps, and each status that a message has reached without a step of that name, such
    as `sent` after doubt, or `delivered` by what a scanner opened. Pure."""
    told = [Told(step.delivery_id, _TOLD[step.what], step.at) for step in steps if step.what in _TOLD]
    by_step = {(event.id, event.type) for event in told}
    for move, at in moves:
        event_type = EVENT_OF_STATUS[Status(move.status)]
        if (move.id, event_type) not in by_step:
            told.append(Told(move.id, event_type, at))
    return told


def step_name(event: ReceiptEvent) -> str:
    """The name of the event in the history. What a scanner or a prefetcher did has a name of its own."""
    return f"machine_{event.kind}" if is_of_a_machine(event) else str(event.kind)
