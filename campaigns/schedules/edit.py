"""Create, change and delete schedules. The API and the admin call the same functions."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from campaigns.arming.planning.variants import check_rest_in_time, experiment_of
from campaigns.audience import count_recipients
from campaigns.audit import OPERATOR, Act, Actor, record
from campaigns.models import Schedule, ScheduleSlot
from campaigns.schedules.control import discard_open, reopen_failed
from campaigns.schedules.fields import check_mode, columns_of, now_on, utc_now
from campaigns.schedules.lead_time import first_lead
from campaigns.schedules.notification_slots import check_notification
from campaigns.schedules.rules.slots import instant
from campaigns.schedules.rules.timing import check_timing, timing_of, zone_of
from campaigns.schedules.sweep import plan_next
from notifier.errors import Conflict, InvalidInput
from notifier.vocabulary.status import Mode
from tenants.models import Tenant

State, SlotState = Schedule.State, ScheduleSlot.State
#: after a change of one of these the slots are others, or their campaigns must be made anew
_IN_SLOTS = frozenset({"campaign", "notification", "at", "rrule", "cron", "starts", "ends", "timezone", "local"})
_WHEN = ("at", "rrule", "cron", "starts", "ends")
#: states in which nothing of a schedule changes any more
ENDED = frozenset({State.CANCELLED, State.FINISHED})
#: active and paused schedules of a tenant; a sweep takes a hundred a second
MAX_SCHEDULES = 1_000


def create(
    tenant: Tenant,
    raw: Mapping[str, Any],
    *,
    mode: str = Mode.LIVE,
    by: Actor = OPERATOR,
    now: datetime | None = None,
) -> Schedule:
    """A schedule with the fields in `raw`: name; campaign (id) or notification; at, rrule or cron; starts, ends,
    timezone, local, catch_up, not_after_minutes. Raises InvalidInput naming the field."""
    schedule = built(tenant, raw, mode=mode, now=now)
    with transaction.atomic():
        schedule.created_by = by.user
        schedule.save(force_insert=True)
        record(schedule, Act.CREATE, by)
    return schedule


def built(tenant: Tenant, raw: Mapping[str, Any], *, mode: str = Mode.LIVE, now: datetime | None = None) -> Schedule:
    """The schedule that `create` would store, checked."""
    now = now or utc_now()
    if not raw.get("name"):
        raise InvalidInput("This field is required.", field="name")
    columns = columns_of(tenant, {"timezone": None, **raw})
    check_mode(mode, columns.get("campaign"))
    if Schedule.objects.filter(tenant=tenant, state__in=[State.ACTIVE, State.PAUSED]).count() >= MAX_SCHEDULES:
        raise Conflict(f"{MAX_SCHEDULES:,} schedules are active; cancel some of them.", code="too_many_schedules")
    schedule = Schedule(tenant=tenant, mode=mode, done_until=now, **columns)
    _prepare(schedule, now)
    plan_next(schedule, now)
    return schedule


def update(
    schedule: Schedule, raw: Mapping[str, Any], *, by: Actor = OPERATOR, now: datetime | None = None
) -> Schedule:
    """Change the fields in `raw`. A change of what goes out or when discards campaigns that are being prepared, and
    has slots run anew that failed ahead of their time. Raises InvalidInput, or Conflict for a schedule that has ended.
    """
    now = now or utc_now()
    with transaction.atomic():
        schedule = Schedule.objects.select_for_update(of=("self",)).select_related("tenant").get(pk=schedule.pk)
        if schedule.state in ENDED:
            raise Conflict(f"This schedule is {schedule.state}; make a new one.", code="schedule_ended")
        changed = changed_columns(schedule, raw)
        for name, value in changed.items():
            setattr(schedule, name, value)
        check_mode(schedule.mode, schedule.campaign)
        if changed.keys() & _IN_SLOTS:
            discard_open(schedule, now)
            _prepare(schedule, now)
            reopen_failed(schedule, schedule.done_until)
            plan_next(schedule, now)
        if changed:
            schedule.save()
        record(schedule, Act.CHANGE, by, fields=sorted(changed))
    return schedule


def check_change(schedule: Schedule, raw: Mapping[str, Any]) -> None:
    """Raise what `update` would raise for the fields; changes nothing."""
    changed = changed_columns(schedule, raw)
    draft = copy(schedule)
    for name, value in changed.items():
        setattr(draft, name, value)
    if changed.keys() & _IN_SLOTS:
        _prepare(draft, utc_now())


def changed_columns(schedule: Schedule, raw: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that `raw` changes. Another kind of rule takes the place of the one before."""
    columns = columns_of(schedule.tenant, raw)
    given = [name for name in ("at", "rrule", "cron") if columns.get(name)]
    if given:
        others = set(_WHEN) - set(given) - (set() if "at" in given else {"starts", "ends"})
        columns = {**dict.fromkeys(others, ""), **columns}
    if columns.get("notification"):
        columns = {"campaign": None, **columns}
    if columns.get("campaign") is not None:
        columns = {"notification": {}, **columns}
    return {name: value for name, value in columns.items() if getattr(schedule, name) != value}


def _prepare(schedule: Schedule, now: datetime) -> None:
    """Check the schedule as a whole, and set from when on its slots run."""
    _check_what(schedule)
    if not schedule.at and not schedule.starts:
        schedule.starts = now_on(schedule.timezone, now)
    check_timing(schedule, now)
    if schedule.is_campaign and schedule.campaign is not None and schedule.campaign.audience is not None:
        schedule.lead_seconds = first_lead(count_recipients(schedule.campaign.audience) or 0)
    schedule.done_until = now
    if schedule.at:
        # at local time the first zones may have passed it already
        schedule.done_until = min(now, instant(timing_of(schedule).starts, zone_of(schedule)) - timedelta(minutes=1))


def _check_what(schedule: Schedule) -> None:
    if (schedule.campaign is None) == (not schedule.notification):
        both = "Not beside campaign: choose one." if schedule.notification else "Give a campaign or a notification."
        raise InvalidInput(both, field="notification" if schedule.notification else "campaign", code="one_content")
    if schedule.notification:
        check_notification(schedule)
    elif schedule.local and schedule.campaign is not None:
        check_rest_in_time(schedule.campaign.passed, experiment_of(schedule.campaign), "local")


def delete(schedule: Schedule, *, by: Actor = OPERATOR) -> None:
    """Delete a schedule that has sent nothing. Raises Conflict."""
    with transaction.atomic():
        schedule = Schedule.objects.select_for_update(of=("self",)).get(pk=schedule.pk)
        if why := reason_to_keep(schedule):
            raise Conflict(why, code="not_deletable")
        record(schedule, Act.DELETE, by)
        schedule.delete()


def reason_to_keep(schedule: Schedule) -> str:
    """Why this schedule cannot be deleted; empty if it can be deleted."""
    if schedule.slots.filter(state__in=[SlotState.DONE, SlotState.PREPARING]).exists():
        return "This schedule has sent something and stays as the record of it. Cancel it instead."
    return ""
