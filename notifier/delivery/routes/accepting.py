"""The route of an accepted request: which one, how its messages wait, and its row."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime

import orjson

from notifier.delivery.draft import Draft
from notifier.delivery.ledger import route_rows
from notifier.delivery.ledger.accepted_rows import DeliveryRow
from notifier.delivery.ledger.route_rows import RouteRow
from notifier.delivery.routes.decide import StepRow, next_step_at
from notifier.vocabulary.ids import new_id
from notifier.vocabulary.people import SendRequest
from notifier.vocabulary.routes import Route, step_of
from notifier.vocabulary.status import QueuePosition, Status


def choose_route(request: SendRequest, of_template: Route) -> Route:
    """The request's own route, else that of its template; none when the request names channels, is gathered into a
    digest of its own or is a digest, or has the empty route."""
    if request.route is not None:
        return request.route
    other_way = request.channels is not None or request.digest is not None or request.of_digest is not None
    return () if other_way else of_template


def let_later_steps_wait(drafts: Sequence[Draft]) -> None:
    """The first step with a message that may leave starts; the messages of the steps after it wait for it."""
    for draft in drafts:
        if draft.route:
            queued = [(step_of(draft.route, row.channel), row) for row in draft.rows if row.status == Status.QUEUED]
            draft.route_step = min((step for step, _ in queued), default=len(draft.route))
            for step, row in queued:
                if step > draft.route_step:
                    row.queue_position = QueuePosition.LATER_STEP


def store_routes(tenant_id: uuid.UUID, drafts: Sequence[Draft], now: datetime) -> None:
    """Store the routes of accepted drafts: one statement, none for requests without a route."""
    routed = [draft for draft in drafts if draft.route]
    if routed:
        route_rows.store([_route_row(tenant_id, draft, now) for draft in routed])


def _route_row(tenant_id: uuid.UUID, draft: Draft, now: datetime) -> RouteRow:
    steps = orjson.dumps([step.as_json() for step in draft.route]).decode()
    return RouteRow(new_id(), tenant_id, draft.notification_id, steps, draft.route_step, _due_at(draft, now))


def _due_at(draft: Draft, now: datetime) -> datetime | None:
    """When the sweep looks at the route first; None if no step waits. At once when digests and caps have left nothing
    of the first step that may leave."""
    rows = [_step_row(row, draft.route) for row in draft.rows]
    first_time = next_step_at(draft.route, draft.route_step, rows, now)
    waits = any(row.status == Status.QUEUED for row in rows if row.step == draft.route_step)
    return first_time if waits or first_time is None else now


def _step_row(row: DeliveryRow, route: Route) -> StepRow:
    step = step_of(route, row.channel)
    return StepRow(step, row.status, row.reason, row.queue_position, due_at=row.due_at, settled_at=row.settled_at)
