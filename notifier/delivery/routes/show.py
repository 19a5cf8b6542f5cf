"""The steps of a notification's route as the API and the admin show them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from notifier.delivery.routes.decide import StepRow, next_step_at
from notifier.models import Delivery, Notification, Route
from notifier.vocabulary.routes import from_json, step_of
from notifier.vocabulary.status import FINAL, Reason, Status

#: waiting: for an earlier step; started: its messages left, or were decided; not_needed: an earlier step reached the
#: recipient; cancelled: over the API
WAITING, STARTED, NOT_NEEDED, CANCELLED = STEP_STATES = ("waiting", "started", "not_needed", "cancelled")


def show_steps(notification: Notification, deliveries: Sequence[Delivery], now: datetime) -> list[dict[str, Any]]:
    """Empty for a notification without a route."""
    stored: Route | None = getattr(notification, "route", None)
    if stored is None:
        return []
    route = from_json(stored.steps)
    rows = [
        StepRow(
            step_of(route, d.channel), Status(d.status), d.reason, d.queue_position, d.attempt, d.due_at, d.settled_at
        )
        for d in deliveries
    ]
    shown = []
    for number, step in enumerate(route, start=1):
        of_step = [row for row in rows if row.step == number]
        shown.append({"step": number, **step.as_json(), "state": _state(of_step, stored, number)})
    leaves_at = next_step_at(route, stored.step, rows, now) if stored.due_at is not None else None
    if leaves_at is not None:
        shown[stored.step]["leaves_at"] = leaves_at
    return shown


def _state(of_step: Sequence[StepRow], stored: Route, number: int) -> str:
    if any(row.waits_for_step for row in of_step):
        return WAITING
    for reason, state in ((Reason.NOT_NEEDED, NOT_NEEDED), (Reason.BY_REQUEST, CANCELLED)):
        if any(row.reason == reason and row.status in FINAL for row in of_step):
            return state
    # its messages were suppressed at acceptance, and its turn has not come
    return WAITING if number > stored.step and stored.due_at is not None else STARTED
