"""What an actor does to a schedule: pause, resume, skip the next slot, cancel. A repeat changes nothing."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Q

from campaigns.audit import OPERATOR, Act, Actor, record
from campaigns.models import Campaign, Schedule, ScheduleSlot
from campaigns.schedules import campaign_slots
from campaigns.schedules.fields import utc_now
from campaigns.schedules.sweep import free_slots, plan_next
from notifier.errors import Conflict, InvalidInput, NotFound

State, SlotState = Schedule.State, ScheduleSlot.State
SKIPPED = "An actor skipped it."


@contextmanager
def _locked(tenant_id: uuid.UUID, schedule_id: uuid.UUID) -> Iterator[Schedule]:
    with transaction.atomic():
        rows = Schedule.objects.select_for_update(of=("self",)).select_related("tenant")
        schedule = rows.filter(tenant_id=tenant_id, pk=schedule_id).first()
        if schedule is None:
            raise NotFound("There is no such schedule.", field="id")
        yield schedule


def pause(tenant_id: uuid.UUID, pk: uuid.UUID, *, by: Actor = OPERATOR, now: datetime | None = None) -> bool:
    """Nothing goes out until the schedule is resumed; a campaign that is being prepared is discarded. True for the
    caller that paused it. Raises NotFound, or Conflict for a schedule that has ended."""
    with _locked(tenant_id, pk) as schedule:
        if schedule.state == State.PAUSED:
            return False
        _check_state(schedule, State.ACTIVE)
        discard_open(schedule, now or utc_now())
        schedule.state, schedule.wake_at = State.PAUSED, None
        schedule.save()
        record(schedule, Act.PAUSE, by)
    return True


def resume(tenant_id: uuid.UUID, pk: uuid.UUID, *, by: Actor = OPERATOR, now: datetime | None = None) -> bool:
    """Go on with the next slot from now; slots that passed meanwhile are left out. A schedule that stopped itself can
    be resumed as well, and runs the slot that stopped it when that one is still to come. Raises as `pause` does, and
    Conflict when no slot is left."""
    now = now or utc_now()
    with _locked(tenant_id, pk) as schedule:
        if schedule.state == State.ACTIVE:
            return False
        _check_state(schedule, State.PAUSED, State.STOPPED)
        if schedule.state == State.STOPPED:
            reopen_failed(schedule, now)
        schedule.done_until = max(schedule.done_until, now)
        schedule.state, schedule.reason = State.ACTIVE, ""
        plan_next(schedule, now)
        if schedule.next_at is None:
            raise Conflict("No slot is left; change the schedule, or make a new one.", code="no_slot")
        schedule.save()
        record(schedule, Act.RESUME, by)
    return True


def cancel(tenant_id: uuid.UUID, pk: uuid.UUID, *, by: Actor = OPERATOR, now: datetime | None = None) -> bool:
    """End the schedule for good. Raises as `pause` does."""
    with _locked(tenant_id, pk) as schedule:
        if schedule.state == State.CANCELLED:
            return False
        _check_state(schedule, State.ACTIVE, State.PAUSED, State.STOPPED)
        discard_open(schedule, now or utc_now())
        schedule.state, schedule.next_at, schedule.wake_at = State.CANCELLED, None, None
        schedule.save()
        record(schedule, Act.CANCEL, by)
    return True


def skip(
    tenant_id: uuid.UUID,
    pk: uuid.UUID,
    *,
    by: Actor = OPERATOR,
    at: datetime | None = None,
    now: datetime | None = None,
) -> bool:
    """Leave out the next slot. `at`: the slot that the caller means; False when that one is skipped already. Raises as
    `pause` does, InvalidInput for an `at` that is not the next slot, and Conflict when no slot is left or when the next
    one is being sent."""
    now = now or utc_now()
    with _locked(tenant_id, pk) as schedule:
        _check_state(schedule, State.ACTIVE, State.PAUSED)
        coming = schedule.slots.filter(at__gt=now)
        if at is not None and coming.filter(at=at, state=SlotState.SKIPPED).exists():
            return False
        slot = coming.filter(state=SlotState.PREPARING).order_by("at").first() or _new_slot(schedule, now)
        if at is not None and at != slot.at:
            raise InvalidInput(f"The next slot is {slot.at:%Y-%m-%dT%H:%M:%SZ}.", field="at", code="not_next")
        if not campaign_slots.discard(slot):
            raise Conflict("The campaign of the next slot was launched already.", code="already_launched")
        slot.state, slot.reason = SlotState.SKIPPED, SKIPPED
        slot.save()
        schedule.done_until = max(schedule.done_until, slot.at)
        plan_next(schedule, now)
        schedule.save()
        record(schedule, Act.SKIP, by, slot=slot.at.isoformat())
    return True


def _new_slot(schedule: Schedule, now: datetime) -> ScheduleSlot:
    at = next(free_slots(schedule, max(schedule.done_until, now)), None)
    if at is None:
        raise Conflict("No slot is left.", code="no_slot")
    return ScheduleSlot(tenant_id=schedule.tenant_id, schedule=schedule, at=at)


def discard_open(schedule: Schedule, now: datetime) -> None:
    """Undo what was prepared for slots that have not been launched, so that they can be prepared anew."""
    for slot in schedule.slots.filter(state=SlotState.PREPARING).select_related("campaign"):
        if campaign_slots.discard(slot):
            slot.delete()
            schedule.done_until = min(schedule.done_until, now)


def reopen_failed(schedule: Schedule, after: datetime) -> None:
    """Remove the rows of slots later than `after` that failed ahead of their time, so that they run: an actor has
    mended what made them fail. Not the row of a slot whose campaign has left, will leave, or was stopped by an actor.
    """
    gone_nowhere = Q(campaign=None) | Q(campaign__state=Campaign.State.DRAFT, campaign__launch_at=None)
    if schedule.slots.filter(gone_nowhere, state=SlotState.FAILED, at__gt=after).delete()[0]:
        schedule.done_until = min(schedule.done_until, after)


def _check_state(schedule: Schedule, *allowed: str) -> None:
    if schedule.state not in allowed:
        raise Conflict(f"This schedule is {schedule.state}.", code="schedule_ended")


@dataclass(frozen=True)
class Control:
    """A row of the table of controls: an address of the API and a button of the admin."""

    act: Act
    run: Callable[..., bool]
    done: str
    summary: str
    button: str
    states: frozenset[str]
    success: str


CONTROLS: tuple[Control, ...] = (
    Control(
        Act.PAUSE, pause, "paused", "Pause: nothing goes out until the schedule is resumed", "Pause",
        frozenset({State.ACTIVE}), "Paused. A campaign that was being prepared is discarded.",
    ),
    Control(
        Act.RESUME, resume, "resumed", "Resume a schedule that is paused or has stopped itself", "Resume",
        frozenset({State.PAUSED, State.STOPPED}),
        "Resumed with the next slot. Slots that passed meanwhile are left out.",
    ),
    Control(
        Act.SKIP, skip, "skipped", "Leave out the next slot", "Skip the next slot",
        frozenset({State.ACTIVE, State.PAUSED}), "The next slot is left out.",
    ),
    Control(
        Act.CANCEL, cancel, "cancelled", "End the schedule for good", "Cancel the schedule",
        frozenset({State.ACTIVE, State.PAUSED, State.STOPPED}), "Cancelled. No slot runs any more.",
    ),
)  # fmt: skip
