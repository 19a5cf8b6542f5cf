"""`/v1/schedules`: campaigns and notifications that go out at a time, or again and again."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from django.urls import URLPattern
from drf_spectacular.utils import OpenApiExample, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns.api.base import CampaignsScopeView
from campaigns.edit.fields import MAX_DATA_BYTES, MAX_NAME
from campaigns.models import CatchUp, Schedule, ScheduleSlot
from campaigns.schedules import control, edit
from campaigns.schedules.fields import MAX_NOT_AFTER, utc_now
from campaigns.schedules.rules.cron import MAX_LENGTH as MAX_CRON
from campaigns.schedules.rules.rrule import MAX_LENGTH as MAX_RRULE
from campaigns.schedules.rules.timing import shown_time, zone_of
from campaigns.schedules.upcoming import next_slots
from notifier.api.framework import schema
from notifier.api.framework.fields import Boolean, Integer, Object, Text, Time
from notifier.api.framework.pagination import page
from notifier.api.framework.paths import path
from notifier.errors import Conflict
from notifier.vocabulary.status import Mode
from tenants.access import get_owned

TAGS = ["schedules"]
_CLOCK = "A time of the schedule's own clock, without an offset, such as 2030-01-31T09:00."
EXAMPLES = [
    OpenApiExample(
        "A campaign every Monday at nine",
        {
            "name": "Weekly news",
            "campaign": "01931c9e-0000-7000-8000-000000000000",
            "rrule": "FREQ=WEEKLY;BYDAY=MO;BYHOUR=9;BYMINUTE=0",
            "timezone": "Europe/Vienna",
        },
        request_only=True,
    ),
    OpenApiExample(
        "A reminder on the first of each month, at nine of the recipient's own clock",
        {
            "name": "Rent",
            "notification": {"recipient": "ana-7", "template": "rent-due"},
            "cron": "0 9 1 * *",
            "local": True,
        },
        request_only=True,
    ),
]


class ScheduleChangeInput(serializers.Serializer[Any]):
    """A field that is left out stays as it is."""

    name = Text(max_length=MAX_NAME, required=False)
    campaign = Text(
        max_length=36,
        required=False,
        allow_null=True,
        help_text="The id of a campaign: each slot sends a copy of it, to its audience as it is then.",
    )
    notification = Object(
        2 * MAX_DATA_BYTES,
        required=False,
        help_text="Instead of a campaign: recipient, template, and if need be category, channels, data, group_key.",
    )
    at = Text(max_length=40, required=False, allow_null=True, help_text=f"Once. {_CLOCK}")
    rrule = Text(
        max_length=MAX_RRULE,
        required=False,
        allow_null=True,
        help_text="FREQ=MINUTELY (INTERVAL 15 or more), HOURLY, DAILY, WEEKLY or MONTHLY, with INTERVAL, BYDAY, "
        "BYMONTHDAY, BYMONTH, BYHOUR, BYMINUTE, COUNT or UNTIL.",
    )
    cron = Text(max_length=MAX_CRON, required=False, allow_null=True, help_text="Five fields, such as 0 9 * * 1.")
    starts = Text(max_length=40, required=False, allow_null=True, help_text=f"Of a rule; without it, now. {_CLOCK}")
    ends = Text(max_length=40, required=False, allow_null=True, help_text=f"Of a rule: no slot later. {_CLOCK}")
    timezone = Text(max_length=64, required=False, allow_null=True, help_text="Without it, that of the tenant.")
    local = Boolean(
        required=False, help_text="The times are those of each recipient's own clock: phone, recipient, then timezone."
    )
    catch_up = serializers.ChoiceField(
        CatchUp.choices,
        required=False,
        help_text="What runs of the slots that passed while no worker ran; `last` without it.",
    )
    not_after_minutes = Integer(
        min_value=1,
        max_value=MAX_NOT_AFTER,
        required=False,
        allow_null=True,
        help_text="Nothing of a slot leaves later than so many minutes after it.",
    )


class ScheduleInput(ScheduleChangeInput):
    name = Text(max_length=MAX_NAME)


class ScheduleSkipInput(serializers.Serializer[Any]):
    at = Time(required=False, help_text="The slot that is meant: another one than the next is refused.")


class ScheduleOutput(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    state = serializers.ChoiceField(Schedule.State.values)
    reason = serializers.CharField(help_text="Why the schedule stopped itself.")
    mode = serializers.CharField()
    campaign = serializers.UUIDField(allow_null=True, source="campaign_id")
    notification = serializers.JSONField()
    at = serializers.CharField()
    rrule = serializers.CharField()
    cron = serializers.CharField()
    starts = serializers.CharField()
    ends = serializers.CharField()
    timezone = serializers.CharField()
    local = serializers.BooleanField()
    catch_up = serializers.CharField()
    not_after_minutes = serializers.IntegerField(allow_null=True)
    next_at = serializers.DateTimeField(allow_null=True, help_text="The next slot; null when none is left.")
    created_at = serializers.DateTimeField()


class SlotOutput(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    at = serializers.DateTimeField()
    local = serializers.CharField(help_text="What the schedule's clock shows then.")
    state = serializers.ChoiceField(ScheduleSlot.State.values)
    reason = serializers.CharField()
    campaign = serializers.UUIDField(allow_null=True, help_text="The copy that it launched or will launch.")
    notification = serializers.UUIDField(allow_null=True)


class UpcomingSlotOutput(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    local = serializers.CharField()
    state = serializers.CharField(help_text="planned, paused, preparing or skipped.")


class SchedulesView(CampaignsScopeView):
    reads_replica = True

    @schema.get_list("List schedules, newest first", ScheduleOutput, tags=TAGS)
    def get(self, request: Request) -> Response:
        return Response(page(request, Schedule.objects.filter(tenant_id=self.tenant_id), show_schedules))

    @schema.post("Create a schedule", ScheduleInput, ScheduleOutput, tags=TAGS, examples=EXAMPLES)
    def post(self, request: Request) -> Response:
        fields = self.read(ScheduleInput)
        schedule = edit.create(self.tenant, fields, mode=self.caller.mode, by=self.actor)
        return Response(show_schedule(schedule), status=201)


class OneScheduleView(CampaignsScopeView):
    """A view about one schedule."""

    def find(self, schedule_id: uuid.UUID, *, to_change: bool = True) -> Schedule:
        """The tenant's schedule. Raises NotFound, or Conflict when a test key would change a live schedule."""
        rows = Schedule.objects.select_related("tenant", "campaign")
        schedule = get_owned(rows, self.tenant, pk=schedule_id)
        if to_change:
            _check_own_mode(schedule, Mode(self.caller.mode))
        return schedule


class ScheduleView(OneScheduleView):
    @schema.describe("Show a schedule", gives=ScheduleOutput, fails=(404,), tags=TAGS)
    def get(self, request: Request, schedule_id: uuid.UUID) -> Response:
        return Response(show_schedule(self.find(schedule_id, to_change=False)))

    @schema.describe(
        "Change a schedule until it has ended; a campaign that is being prepared is discarded when its content or time "
        "changes",
        takes=ScheduleChangeInput,
        gives=ScheduleOutput,
        fails=(400, 404, 409, 413, 415),
        tags=TAGS,
    )
    def patch(self, request: Request, schedule_id: uuid.UUID) -> Response:
        schedule = self.find(schedule_id)
        return Response(show_schedule(edit.update(schedule, self.read(ScheduleChangeInput), by=self.actor)))

    @schema.describe("Delete a schedule that has sent nothing", status=204, fails=(404, 409), tags=TAGS)
    def delete(self, request: Request, schedule_id: uuid.UUID) -> Response:
        edit.delete(self.find(schedule_id), by=self.actor)
        return Response(status=204)


_SlotsPage = inline_serializer(
    "ScheduleSlotsPage",
    {
        "next": UpcomingSlotOutput(many=True, help_text="The next ten slots."),
        "data": SlotOutput(many=True, help_text="Slots with what they made, the newest first."),
        "has_more": serializers.BooleanField(),
        "next_cursor": serializers.CharField(allow_null=True),
    },
)


class ScheduleSlotsView(OneScheduleView):
    @schema.describe(
        "The next ten slots, and those that ran",
        gives=_SlotsPage,
        fails=(400, 404),
        tags=TAGS,
        parameters=schema.PAGING,
    )
    def get(self, request: Request, schedule_id: uuid.UUID) -> Response:
        schedule = self.find(schedule_id, to_change=False)
        coming = [vars(slot) for slot in next_slots(schedule, utc_now())]
        rows = ScheduleSlot.objects.filter(tenant_id=self.tenant_id, schedule=schedule)
        return Response({"next": coming, **page(request, rows, lambda listed: _show_slots(schedule, listed))})


class ControlView(OneScheduleView):
    """A POST may be repeated; the answer says whether this request changed the schedule."""

    def run(self, row: control.Control, schedule_id: uuid.UUID) -> Response:
        schedule = self.find(schedule_id)
        options = self.read(ScheduleSkipInput) if row.run is control.skip else {}
        changed = row.run(self.tenant_id, schedule.pk, by=self.actor, **options)
        schedule.refresh_from_db(fields=["state"])
        return Response({row.done: changed, "state": schedule.state})


def urls() -> list[URLPattern]:
    """An address for each control, and those of the views above."""
    at = "v1/schedules/<id:schedule_id>"
    return [
        path("v1/schedules", SchedulesView.as_view()),
        path(at, ScheduleView.as_view()),
        path(f"{at}/slots", ScheduleSlotsView.as_view()),
        *(path(f"{at}/{row.act}", _view(row).as_view()) for row in control.CONTROLS),
    ]


def _view(row: control.Control) -> type[ControlView]:
    name = f"Schedule{row.act.capitalize()}"
    changed = serializers.BooleanField(help_text=f"True for the one request by which the schedule was {row.done}.")
    answer = inline_serializer(f"{name}Output", {row.done: changed, "state": serializers.CharField()})
    takes = ScheduleSkipInput if row.run is control.skip else None

    class View(ControlView):
        @schema.post(row.summary, takes, answer, 404, status=200, tags=TAGS)
        def post(self, request: Request, schedule_id: uuid.UUID) -> Response:
            return self.run(row, schedule_id)

    # the name of a view is a part of its idempotency keys
    View.__name__ = View.__qualname__ = f"{name}View"
    return View


def _check_own_mode(schedule: Schedule, mode: Mode) -> None:
    if mode == Mode.TEST and schedule.mode != Mode.TEST:
        raise Conflict("A test key cannot change a live schedule.", code="live_schedule")


def show_schedules(rows: Sequence[Schedule]) -> list[Any]:
    return [show_schedule(row) for row in rows]


def show_schedule(row: Schedule) -> dict[str, Any]:
    return dict(ScheduleOutput().to_representation(row))


def _show_slots(schedule: Schedule, rows: Sequence[ScheduleSlot]) -> list[Any]:
    zone = zone_of(schedule)
    return [
        {
            "id": row.pk,
            "at": row.at,
            "local": shown_time(schedule, row.at, zone),
            "state": row.state,
            "reason": row.reason,
            "campaign": row.campaign_id,
            "notification": row.notification_id,
        }
        for row in rows
    ]
