"""Schedules of campaigns and notifications, and their slots."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from campaigns.models.campaigns import Campaign
from notifier.values.timestamps import utc_minute
from notifier.vocabulary.status import Mode
from tenants.models import TenantOwned, User


class CatchUp(models.TextChoices):
    """What becomes of slots that passed while no worker looked."""

    ALL = "all", "all: each slot that was missed runs"
    LAST = "last", "last: only the last one runs"
    NONE = "none", "none: a slot that was missed does not run"


class Schedule(TenantOwned):
    """When a campaign or a notification goes out: once, or again and again. Its slots are rows (ScheduleSlot).

    `campaign` is the prototype: each slot launches a copy of it. `notification` holds the fields of a notification
    instead. Times without a zone are texts such as 2030-01-31T09:00: the clock of `timezone`, or of the recipient."""

    class State(models.TextChoices):
        ACTIVE = "active"
        PAUSED = "paused"
        #: no slot is left
        FINISHED = "finished"
        #: stopped itself; `reason` says why
        STOPPED = "stopped"
        CANCELLED = "cancelled"

    name = models.CharField(max_length=200)
    campaign = models.ForeignKey(
        Campaign,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="schedules",
        help_text=_("Each slot sends a copy of this campaign; its audience is looked up anew."),
    )
    notification = models.JSONField(default=dict, blank=True)
    mode = models.CharField(max_length=8, choices=[(m.value, m.value) for m in Mode], default=Mode.LIVE, editable=False)
    # -- when --
    at = models.CharField(max_length=16, blank=True)
    rrule = models.CharField(max_length=500, blank=True)
    cron = models.CharField(max_length=200, blank=True)
    starts = models.CharField(max_length=16, blank=True)
    ends = models.CharField(max_length=16, blank=True)
    timezone = models.CharField(max_length=64, blank=True)
    local = models.BooleanField(default=False)
    catch_up = models.CharField(max_length=4, choices=CatchUp, default=CatchUp.LAST)
    not_after_minutes = models.PositiveIntegerField(null=True, blank=True)
    # -- what happened --
    state = models.CharField(max_length=10, choices=State, default=State.ACTIVE, editable=False)
    reason = models.CharField(max_length=500, blank=True, editable=False)
    #: a campaign is armed so long before its slot (campaigns.schedules.lead_time)
    lead_seconds = models.PositiveIntegerField(default=600, editable=False)
    #: every slot up to this time has its row
    done_until = models.DateTimeField(editable=False)
    next_at = models.DateTimeField(null=True, editable=False)
    #: when the sweep looks at the schedule next; empty: never
    wake_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(
        User, null=True, editable=False, on_delete=models.SET_NULL, related_name="+", db_index=False
    )

    class Meta:
        indexes = [
            models.Index(fields=["tenant", "-id"], name="schedule_newest"),
            models.Index(fields=["wake_at"], name="schedule_due", condition=models.Q(wake_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_campaign(self) -> bool:
        return not self.notification


class ScheduleSlot(TenantOwned):
    """One time at which a schedule ran, runs soon, or did not run. One row for each slot: workers that handle the same
    slot at once find the row of the first one."""

    class State(models.TextChoices):
        #: the campaign is being armed, or is armed and waits for the slot
        PREPARING = "preparing"
        DONE = "done"
        #: an actor left the slot out
        SKIPPED = "skipped"
        #: passed while no worker looked
        MISSED = "missed"
        FAILED = "failed"

    schedule = models.ForeignKey(Schedule, on_delete=models.CASCADE, related_name="slots", db_index=False)
    at = models.DateTimeField()
    state = models.CharField(max_length=10, choices=State)
    reason = models.CharField(max_length=500, blank=True)
    campaign = models.ForeignKey(Campaign, null=True, on_delete=models.SET_NULL, related_name="slots")
    notification_id = models.UUIDField(null=True)
    created_at = models.DateTimeField(default=timezone.now)
    #: when a worker saw that the campaign was armed
    armed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "schedule", "at"], name="schedule_slot_once")]
        indexes = [
            models.Index(fields=["tenant", "-id"], name="schedule_slot_newest"),
            models.Index(fields=["schedule", "-id"], name="schedule_slot_of"),
            models.Index(fields=["at"], name="schedule_slot_open", condition=models.Q(state="preparing")),
        ]

    def __str__(self) -> str:
        return utc_minute(self.at)
