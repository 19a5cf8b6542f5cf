"""A campaign, its audience, and the shards of an armed campaign."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from campaigns.wall_clock import WallClockField
from notifier.models import ProviderAccount, Template, TemplateVersion
from notifier.values.timestamps import utc_minute
from notifier.vocabulary.status import SILENT, Mode
from tenants.models import TenantOwned, User


class Audience(TenantOwned):
    """A segment (a filter over recipients, evaluated when a campaign is armed), an uploaded list of external ids, all
    recipients, or a topic of Firebase, whose devices only Google knows. All recipients are a source of their own: a
    segment with an empty filter is refused."""

    class Source(models.TextChoices):
        SEGMENT = "segment", "Segment: the recipients that a filter finds"
        LIST = "list", "List: the external ids of a file"
        EVERYBODY = "everybody", "Everybody: all recipients"
        TOPIC = "topic", "Topic: the devices that Google has subscribed to a topic of Firebase"

    name = models.CharField(max_length=200)
    source = models.CharField(max_length=10, choices=Source)
    filter = models.JSONField(default=list, blank=True)
    #: the name of a topic or a condition over topics (campaigns.audience.topics); empty for other sources, as are the
    #: language that the topic's devices get and the app whose Firebase project has the topic
    topic = models.CharField(max_length=1024, blank=True)
    locale = models.CharField(max_length=16, blank=True, verbose_name="language")
    app = models.CharField(max_length=100, blank=True)
    size = models.IntegerField(default=0, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "name"], name="audience_name")]

    def __str__(self) -> str:
        return self.name

    @property
    def is_topic(self) -> bool:
        return self.source == self.Source.TOPIC


class AudienceMember(models.Model):
    """One external id of an uploaded list; the unique key merges duplicates of the file."""

    id = models.BigAutoField(primary_key=True)
    # the indexes below serve both foreign keys; two more indexes would make loading a million rows a third slower
    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.CASCADE, related_name="+", db_index=False)
    audience = models.ForeignKey(Audience, on_delete=models.CASCADE, related_name="members", db_index=False)
    external_id = models.CharField(max_length=128)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "audience", "external_id"], name="audience_member_once"),
        ]
        # for ranges by key; without the index each range sorted the whole list (120 ms a range of a million, measured)
        indexes = [models.Index(fields=["audience", "id"], name="audience_member_walk")]

    def __str__(self) -> str:
        return self.external_id


class Rollout(models.TextChoices):
    """What may leave at GO."""

    ALL = "all", "everything at once"
    CANARY = "canary", "the canary first, then the rest automatically"
    CANARY_WAIT = "canary_wait", "the canary first, then wait for a person"


class Passed(models.TextChoices):
    """What becomes of a recipient whose local time is over when a campaign at local time begins."""

    NEXT_DAY = "next_day", "they get it the next day"
    LEAVE_OUT = "leave_out", "they are left out"


class Campaign(TenantOwned):
    """One message to an audience. `state` moves only by `campaigns.states.move`, a conditional UPDATE."""

    class State(models.TextChoices):
        DRAFT = "draft"
        ARMING = "arming"
        ARMED = "armed"
        LAUNCHING = "launching"
        RUNNING = "running"
        PAUSED = "paused"
        FINISHED = "finished"
        CANCELLED = "cancelled"
        FAILED = "failed"

    name = models.CharField(max_length=200)
    template = models.ForeignKey(Template, on_delete=models.PROTECT, related_name="+")
    audience = models.ForeignKey(Audience, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    channels = ArrayField(models.CharField(max_length=16))
    data = models.JSONField(default=dict, blank=True, help_text="Variables for the template.")
    mode = models.CharField(max_length=8, choices=[(m.value, m.value) for m in Mode], default=Mode.LIVE)
    not_after = models.DateTimeField(null=True, blank=True, help_text="No message leaves after this time.")
    state = models.CharField(max_length=10, choices=State, default=State.DRAFT, editable=False)
    #: raised by every arming and disarming: an arming that an edit has overtaken sees another number and stops
    revision = models.IntegerField(default=0, editable=False)
    version = models.ForeignKey(TemplateVersion, null=True, editable=False, on_delete=models.PROTECT, related_name="+")
    #: the key of the category by which the messages were planned when the campaign was armed
    category = models.CharField(max_length=64, default="", editable=False)
    failure = models.CharField(max_length=500, blank=True, editable=False)
    audience_size = models.IntegerField(default=0, editable=False)
    processed = models.IntegerField(
        default=0, editable=False, help_text="Audience entries that arming has processed so far."
    )
    unreached = models.IntegerField(
        default=0, editable=False, help_text="Recipients of the audience without any message."
    )
    excluded = models.JSONField(default=dict, editable=False, help_text="Messages excluded while arming, by reason.")
    #: messages that found a frequency cap full while arming; the last look before sending decides anew
    over_cap = models.IntegerField(default=0, editable=False)
    #: when a worker last began one of the ranges: tenants take turns by it (campaigns.arming.scheduler)
    turn_at = models.DateTimeField(null=True, editable=False)
    #: workers that arm the campaign now, and those that died of it
    attempts = models.PositiveSmallIntegerField(default=0, editable=False)
    #: why messages cannot be sent: campaigns.arming.render_problems
    problems = models.JSONField(default=list, editable=False)
    # -- launch and sending --
    hold_seconds = models.PositiveSmallIntegerField(
        default=0, help_text="Seconds after GO within which GO can be taken back."
    )
    rate_per_s = models.FloatField(
        null=True, blank=True, help_text="At most so many messages a second; empty: no limit."
    )
    canary_percent = models.PositiveSmallIntegerField(
        default=1, help_text="Percentage of the messages that can be sent first, to see whether all is well."
    )
    max_error_percent = models.PositiveSmallIntegerField(
        default=20, help_text="The campaign pauses itself when more than this percentage of its messages fails."
    )
    max_dead_percent = models.PositiveSmallIntegerField(
        default=50, help_text="The campaign pauses itself when more than this percentage of its addresses is dead."
    )
    rollout = models.CharField(max_length=12, choices=Rollout, default=Rollout.ALL, editable=False)
    # -- planned launch: campaigns.lifecycle.planned --
    launch_at = models.DateTimeField(
        null=True, blank=True, help_text="The armed campaign launches itself at this time; empty: a person presses GO."
    )
    launch_rollout = models.CharField(
        max_length=12, choices=Rollout, default=Rollout.ALL, help_text="What leaves at the planned launch."
    )
    #: the planner knows that no opt-out holds for a topic
    launch_ignores_opt_outs = models.BooleanField(default=False, editable=False)
    #: the audit log names the planner as the actor of GO: a user, an API key, or neither (an operator, a schedule)
    launch_planned_by = models.ForeignKey(
        User, null=True, editable=False, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
    launch_planned_by_key = models.UUIDField(null=True, editable=False)
    # -- at each recipient's local time: campaigns.arming.waves, campaigns.lifecycle.waves --
    local_time = WallClockField(
        null=True,
        blank=True,
        help_text="After GO each recipient gets the message when a clock of the recipient's own zone shows this date "
        "and time; empty: everybody at once.",
    )
    passed = models.CharField(
        max_length=10,
        choices=Passed,
        default=Passed.NEXT_DAY,
        help_text="Recipients whose local time is over when the campaign begins.",
    )
    #: when the next wave of a launched campaign becomes due; the sweep puts the wave on the queue, and sets the next
    next_wave_at = models.DateTimeField(null=True, editable=False)
    #: why the planned launch did not happen; the plan is over then
    launch_failure = models.CharField(max_length=500, blank=True, editable=False)
    # -- rehearsals --
    #: a silent campaign goes through all steps and reaches no recipient: providers check its messages and deliver none
    silent = models.BooleanField(default=False, editable=False)
    rehearsal_of = models.ForeignKey(
        "self", null=True, editable=False, on_delete=models.SET_NULL, related_name="rehearsals"
    )
    #: the last test send, and the template version that it used
    tested_at = models.DateTimeField(null=True, editable=False)
    tested_version = models.ForeignKey(
        TemplateVersion, null=True, editable=False, on_delete=models.SET_NULL, related_name="+"
    )
    # -- what happened --
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(User, null=True, editable=False, on_delete=models.SET_NULL, related_name="+")
    #: set by the first arming, never changed: the time part of every delivery id of this campaign
    first_armed_ms = models.BigIntegerField(null=True, editable=False)
    armed_at = models.DateTimeField(null=True, editable=False)
    #: GO was pressed; until this time GO can be taken back
    hold_until = models.DateTimeField(null=True, editable=False)
    launched_at = models.DateTimeField(null=True, editable=False)
    canary_passed_at = models.DateTimeField(null=True, editable=False)
    #: why the campaign paused itself; empty when a person paused it
    halted = models.CharField(max_length=500, blank=True, editable=False)
    #: channel -> why the channel paused itself; the other channels continue
    halted_channels = models.JSONField(default=dict, editable=False)
    stopped_at = models.DateTimeField(null=True, editable=False)
    #: every outcome is stored with its shard
    finished_at = models.DateTimeField(null=True, editable=False)
    #: every outcome is also in the message's row of the ledger
    accounted_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        indexes = [
            models.Index(fields=["tenant", "-id"], name="campaign_newest"),
            # the sweep looks every second
            models.Index(
                fields=["launch_at"],
                name="campaign_planned",
                condition=models.Q(launch_at__isnull=False, launched_at__isnull=True, launch_failure=""),
            ),
            models.Index(
                fields=["next_wave_at"], name="campaign_waves", condition=models.Q(next_wave_at__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def message_mode(self) -> str:
        """The mode of the campaign's messages."""
        return SILENT if self.silent else self.mode


class AudienceRange(models.Model):
    """A part of the audience that is not armed yet: entries after `after` up to and with `until`.

    A worker locks the row, arms the range and deletes the row in one transaction: a crash leaves the row to the next
    worker.
    """

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.CASCADE, related_name="+", db_index=False)
    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="ranges")
    number = models.IntegerField()
    #: keyset bounds: recipient ids of a segment, member ids of a list
    after = models.CharField(max_length=36)
    until = models.CharField(max_length=36)

    def __str__(self) -> str:
        return f"range {self.number}"


class Shard(TenantOwned):
    """A part of an armed campaign's messages on one channel and provider account: rendered, ready to leave.

    `begun`, `sent`, `failed`, `dead` and `requeued` count messages of the payload, and are written in one statement
    with the outcomes. Message i < begun may be in flight; such a message without an outcome is in doubt.
    """

    class State(models.TextChoices):
        ARMED = "armed"
        RUNNING = "running"
        DONE = "done"
        CANCELLED = "cancelled"

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="shards")
    number = models.IntegerField()
    channel = models.CharField(max_length=16)
    account = models.ForeignKey(ProviderAccount, on_delete=models.PROTECT, related_name="+")
    size = models.IntegerField()
    #: of all messages together, on a channel that is billed by segments (SMS)
    segments = models.IntegerField(default=0)
    canary = models.BooleanField(default=False)
    #: nothing leaves before: the local time of the recipients, who are all of one wave; null: of no wave
    not_before = models.DateTimeField(null=True)
    state = models.CharField(max_length=10, choices=State, default=State.ARMED)
    lease_until = models.DateTimeField(null=True)
    fence = models.IntegerField(default=0)
    worker = models.CharField(max_length=100, default="")
    began_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    begun = models.IntegerField(default=0)
    #: accepted by the provider
    sent = models.IntegerField(default=0)
    #: ended without being sent
    failed = models.IntegerField(default=0)
    #: among the failed: the address does not exist any more
    dead = models.IntegerField(default=0)
    #: returned to the ledger, for a later attempt
    requeued = models.IntegerField(default=0)
    #: among the failed and the requeued: messages that no provider refused
    skipped = models.IntegerField(default=0)
    #: the connection, which carried several messages, was lost, and no answer came
    disconnected = models.IntegerField(default=0)
    #: the outcomes are in the ledger's rows, and the payload is deleted
    accounted = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "campaign", "number"], name="shard_number"),
        ]
        indexes = [models.Index(fields=["tenant", "-id"], name="shard_newest")]

    def __str__(self) -> str:
        return f"shard {self.number}"


class ShardPayload(models.Model):
    """The messages of a shard and their outcomes; a table of its own, so that counting shards does not read them."""

    shard = models.OneToOneField(Shard, primary_key=True, on_delete=models.CASCADE, related_name="payload")
    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.CASCADE, related_name="+")
    #: campaigns.shard.payload
    rows = models.BinaryField()
    #: campaigns.shard.outcomes
    outcomes = models.BinaryField(default=b"")
    delays = models.BinaryField(default=b"")
    notes = models.BinaryField(default=b"")

    def __str__(self) -> str:
        return f"payload of {self.shard_id}"


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
        help_text="Each slot sends a copy of this campaign; its audience is looked up anew.",
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
