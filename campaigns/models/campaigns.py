"""Campaigns, from draft to report."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from campaigns.models.audiences import Audience
from campaigns.wall_clock import WallClockField
from notifier.models import Template, TemplateVersion
from notifier.vocabulary.status import SILENT, Mode
from tenants.models import TenantOwned, User


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
    data = models.JSONField(default=dict, blank=True, help_text=_("Variables for the template."))
    mode = models.CharField(max_length=8, choices=[(m.value, m.value) for m in Mode], default=Mode.LIVE)
    not_after = models.DateTimeField(null=True, blank=True, help_text=_("No message leaves after this time."))
    state = models.CharField(max_length=10, choices=State, default=State.DRAFT, editable=False)
    #: raised by every arming and disarming: an arming that an edit has overtaken sees another number and stops
    revision = models.IntegerField(default=0, editable=False)
    version = models.ForeignKey(TemplateVersion, null=True, editable=False, on_delete=models.PROTECT, related_name="+")
    #: the key of the category by which the messages were planned when the campaign was armed
    category = models.CharField(max_length=64, default="", editable=False)
    failure = models.CharField(max_length=500, blank=True, editable=False)
    audience_size = models.IntegerField(default=0, editable=False)
    processed = models.IntegerField(
        default=0, editable=False, help_text=_("Audience entries that arming has processed so far.")
    )
    unreached = models.IntegerField(
        default=0, editable=False, help_text=_("Recipients of the audience without any message.")
    )
    excluded = models.JSONField(default=dict, editable=False, help_text=_("Messages excluded while arming, by reason."))
    #: messages that found a frequency cap full while arming; the last look before sending decides anew
    over_cap = models.IntegerField(default=0, editable=False)
    #: what GO took of the tenant's quotas, given back when the campaign is stopped (notifier.delivery.quotas.campaigns)
    reserved = models.JSONField(default=list, editable=False)
    #: when a worker last began one of the ranges: tenants take turns by it (campaigns.arming.workers.scheduler)
    turn_at = models.DateTimeField(null=True, editable=False)
    #: workers that arm the campaign now, and those that died of it
    attempts = models.PositiveSmallIntegerField(default=0, editable=False)
    #: why messages cannot be sent: campaigns.arming.planning.render_problems
    problems = models.JSONField(default=list, editable=False)
    # -- launch and sending --
    hold_seconds = models.PositiveSmallIntegerField(
        default=0, help_text=_("Seconds after GO within which GO can be taken back.")
    )
    rate_per_s = models.FloatField(
        null=True, blank=True, help_text=_("At most so many messages a second; empty: no limit.")
    )
    canary_percent = models.PositiveSmallIntegerField(
        default=1, help_text=_("Percentage of the messages that can be sent first, to see whether all is well.")
    )
    max_error_percent = models.PositiveSmallIntegerField(
        default=20, help_text=_("The campaign pauses itself when more than this percentage of its messages fails.")
    )
    max_dead_percent = models.PositiveSmallIntegerField(
        default=50, help_text=_("The campaign pauses itself when more than this percentage of its addresses is dead.")
    )
    rollout = models.CharField(max_length=12, choices=Rollout, default=Rollout.ALL, editable=False)
    # -- planned launch: campaigns.lifecycle.launching.planned --
    launch_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text=_("The armed campaign launches itself at this time; empty: a person presses GO."),
    )
    launch_rollout = models.CharField(
        max_length=12, choices=Rollout, default=Rollout.ALL, help_text=_("What leaves at the planned launch.")
    )
    #: the planner knows that no opt-out holds for a topic
    launch_ignores_opt_outs = models.BooleanField(default=False, editable=False)
    #: the audit log names the planner as the actor of GO: a user, an API key, or neither (an operator, a schedule)
    launch_planned_by = models.ForeignKey(
        User, null=True, editable=False, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
    launch_planned_by_key = models.UUIDField(null=True, editable=False)
    # -- at each recipient's local time: campaigns.arming.planning.waves, campaigns.lifecycle.fan_out.waves --
    local_time = WallClockField(
        null=True,
        blank=True,
        help_text=_(
            "After GO each recipient gets the message when a clock of the recipient's own zone shows this date "
            "and time; empty: everybody at once."
        ),
    )
    passed = models.CharField(
        max_length=10,
        choices=Passed,
        default=Passed.NEXT_DAY,
        help_text=_("Recipients whose local time is over when the campaign begins."),
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
    # -- after the launch: campaigns.lifecycle.running.retrying, campaigns.edit.corrections --
    #: the campaign whose messages this one replaces: it goes to the addresses that got those, with their collapse keys
    corrects = models.ForeignKey(
        "self", null=True, editable=False, on_delete=models.SET_NULL, related_name="corrections", db_index=False
    )
    #: a retry is under way, of what had failed before this time; the sweep posts its task
    retry_before = models.DateTimeField(null=True, editable=False)
    #: channel -> messages that shards count as failed and that were retried since then
    retried = models.JSONField(default=dict, editable=False)
    #: the last test send, and the template version that it used
    tested_at = models.DateTimeField(null=True, editable=False)
    tested_version = models.ForeignKey(
        TemplateVersion, null=True, editable=False, on_delete=models.SET_NULL, related_name="+"
    )
    # -- what happened --
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(User, null=True, editable=False, on_delete=models.SET_NULL, related_name="+")
    #: set by the first arming, and unset when a draft's messages are removed: the time part of every delivery id
    first_armed_ms = models.BigIntegerField(null=True, editable=False)
    armed_at = models.DateTimeField(null=True, editable=False)
    #: the consent changes that arming may not have seen: those since then, those of transactions that were running
    #: then, and those of all later transactions (notifier.delivery.planning.consent_changes)
    consent_since = models.DateTimeField(null=True, editable=False)
    consent_transactions = ArrayField(models.BigIntegerField(), default=list, editable=False)
    consent_next_transaction = models.BigIntegerField(null=True, editable=False)
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
    #: everything was counted for the last time (CampaignReport): its messages are deleted from then on
    report_final_at = models.DateTimeField(null=True, editable=False)
    #: the tenant's retention has deleted all messages
    messages_deleted_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        indexes = [
            models.Index(fields=["tenant", "-id"], name="campaign_newest"),
            # the sweep looks every second
            models.Index(
                fields=["launch_at"],
                name="campaign_planned",
                condition=models.Q(launch_at__isnull=False, launched_at__isnull=True, launch_failure=""),
            ),
            # retention looks for ended campaigns whose messages are still there
            models.Index(
                fields=["tenant", "first_armed_ms"],
                name="campaign_with_messages",
                condition=models.Q(first_armed_ms__isnull=False, messages_deleted_at__isnull=True),
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
