"""The sweep of schedules: slots whose time has come get their rows and run. Any number of sweeps may run at once: each
takes the schedules that no other one has locked."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta

import structlog
from django.db import OperationalError, connection, transaction

from campaigns.audit import Act, record
from campaigns.models import Schedule, ScheduleSlot
from campaigns.schedules import campaign_slots, notification_slots
from campaigns.schedules.catch_up import ON_TIME, is_missed
from campaigns.schedules.lead_time import measured_lead
from campaigns.schedules.rules.timing import AROUND_THE_EARTH, slots_after

log = structlog.get_logger("campaigns")
State, SlotState = Schedule.State, ScheduleSlot.State

#: schedules that one sweep takes, and slots that it runs for each: the sweep runs again a second later
MAX_SCHEDULES, MAX_SLOTS = 100, 20
#: a schedule of a recipient's own clock is looked at this often: the recipient may have travelled
_LOOK_AGAIN = timedelta(hours=1)
#: after an error that no one expected, and while a list is being loaded
_LATER, _SOON = timedelta(minutes=1), timedelta(seconds=10)

# An inactive tenant's schedules wait; `catch_up` says what becomes of their slots when it is active again.
# Tenants take turns: a thousand schedules of one tenant at nine do not delay another tenant's
_DUE = """
SELECT id FROM (
  SELECT id, wake_at, row_number() OVER (PARTITION BY tenant_id ORDER BY wake_at) AS turn FROM (
    SELECT s.id, s.tenant_id, s.wake_at FROM campaigns_schedule s JOIN tenants_tenant n ON n.id = s.tenant_id
    WHERE s.wake_at <= %(now)s AND n.active
    UNION ALL
    SELECT s.id, s.tenant_id, min(t.at) FROM campaigns_scheduleslot t JOIN campaigns_schedule s ON s.id = t.schedule_id
    WHERE t.state = 'preparing' GROUP BY s.id, s.tenant_id
  ) due) turns
GROUP BY id ORDER BY min(turn), min(wake_at) LIMIT %(most)s
"""


def sweep(now: datetime) -> None:
    """Run the slots that are due at `now`, and look after the campaigns of open slots."""
    with connection.cursor() as cursor:
        cursor.execute(_DUE, {"now": now, "most": MAX_SCHEDULES})
        due = [row[0] for row in cursor.fetchall()]
    for schedule_id in due:
        _run_one(schedule_id, now)


def _run_one(schedule_id: uuid.UUID, now: datetime) -> None:
    try:
        with transaction.atomic():
            locked = Schedule.objects.select_for_update(of=("self",), skip_locked=True).select_related("tenant")
            schedule = locked.filter(pk=schedule_id).first()
            if schedule is not None:
                _follow_open(schedule, now)
                _run_due(schedule, now)
    except OperationalError:
        raise  # the database is away
    except Exception:
        # one schedule must not hold up those of other tenants
        log.exception("a schedule could not run", action="schedule", schedule=str(schedule_id))
        Schedule.objects.filter(pk=schedule_id, wake_at__lte=now).update(wake_at=now + _LATER)


# ---- open slots ----------------------------------------------------------------------------------------------------


def _follow_open(schedule: Schedule, now: datetime) -> None:
    rows = ScheduleSlot.objects.filter(schedule=schedule, state=SlotState.PREPARING).select_related("campaign")
    for slot in rows.order_by("at")[:MAX_SLOTS]:
        was_armed = slot.armed_at is not None
        campaign_slots.follow(slot, now)
        if slot.armed_at is not None and not was_armed:
            schedule.lead_seconds = measured_lead((slot.armed_at - slot.created_at).total_seconds())


# ---- due slots -----------------------------------------------------------------------------------------------------


def _run_due(schedule: Schedule, now: datetime) -> None:
    if schedule.state == State.ACTIVE and schedule.tenant.active:
        # a campaign of two years of slots does not arm all of them side by side
        preparing = ScheduleSlot.objects.filter(schedule=schedule, state=SlotState.PREPARING).count()
        for _ in range(MAX_SLOTS - preparing):
            if not _run_next(schedule, now):
                break
    schedule.save(update_fields=["state", "reason", "lead_seconds", "done_until", "next_at", "wake_at"])


def _run_next(schedule: Schedule, now: datetime) -> bool:
    """Run the next slot if it is due; False when none is."""
    at = next(free_slots(schedule, schedule.done_until), None)
    set_next(schedule, at, now)
    if at is None:
        _finish(schedule)
        return False
    if at - lead_of(schedule) > now:
        return False
    try:
        why_stopped = _run_slot(schedule, at, now)
    except campaign_slots.TryAgain:
        schedule.wake_at = now + _SOON
        return False
    schedule.done_until = at
    if why_stopped:
        stop(schedule, why_stopped)
    return not why_stopped


def _run_slot(schedule: Schedule, at: datetime, now: datetime) -> str:
    """Returns why the schedule stops; empty while it goes on."""
    following = next(slots_after(schedule, at), None)
    slot = ScheduleSlot(tenant_id=schedule.tenant_id, schedule=schedule, at=at, created_at=now)
    why_stopped = ""
    late = AROUND_THE_EARTH if schedule.local and schedule.is_campaign else timedelta()
    if is_missed(at + late, following, now, schedule.catch_up):
        slot.state, slot.reason = SlotState.MISSED, "No worker looked at its time."
    elif schedule.is_campaign:
        why_stopped = campaign_slots.run(schedule, slot, now)
    else:
        why_stopped = notification_slots.run(schedule, slot)
    slot.save(force_insert=True)
    log.info("slot", action="schedule", schedule=str(schedule.pk), slot=str(slot.pk), state=slot.state)
    return why_stopped


def _finish(schedule: Schedule) -> None:
    """No slot is left: the schedule ends with the last campaign that is being prepared."""
    if not ScheduleSlot.objects.filter(schedule=schedule, state=SlotState.PREPARING).exists():
        schedule.state = State.FINISHED


def stop(schedule: Schedule, why: str) -> None:
    """End a schedule that cannot run any more. The caller saves the row."""
    schedule.state, schedule.reason, schedule.wake_at = State.STOPPED, why[:500], None
    record(schedule, Act.STOPPED)


def lead_of(schedule: Schedule) -> timedelta:
    """How long before a slot its work begins."""
    return timedelta(seconds=schedule.lead_seconds) if schedule.is_campaign else timedelta()


def free_slots(schedule: Schedule, after: datetime) -> Iterator[datetime]:
    """The slots later than `after` that have no row. A slot with a row is over: an actor has skipped it, or it ran, or
    failed, ahead of its time."""
    rows = ScheduleSlot.objects.filter(tenant_id=schedule.tenant_id, schedule_id=schedule.pk, at__gt=after)
    taken = set(rows.values_list("at", flat=True))
    return (at for at in slots_after(schedule, after) if at not in taken)


def plan_next(schedule: Schedule, now: datetime) -> None:
    """Set the next slot after an actor's change. The caller saves the row."""
    # a schedule that does not run goes on from the time at which it is resumed
    after = schedule.done_until if schedule.state == State.ACTIVE else max(schedule.done_until, now)
    set_next(schedule, next(free_slots(schedule, after), None), now)
    if schedule.state == State.ACTIVE and schedule.next_at is None:
        schedule.wake_at = now  # the sweep ends it


def set_next(schedule: Schedule, at: datetime | None, now: datetime) -> None:
    """Set the next slot and when the sweep looks at the schedule for it. The caller saves the row."""
    schedule.next_at = at
    if at is None or schedule.state != State.ACTIVE:
        schedule.wake_at = None
        return
    schedule.wake_at = at - lead_of(schedule)
    if schedule.local and not schedule.is_campaign:
        schedule.wake_at = min(schedule.wake_at, now + _LOOK_AGAIN)


__all__ = ["ON_TIME", "free_slots", "lead_of", "plan_next", "set_next", "stop", "sweep"]
