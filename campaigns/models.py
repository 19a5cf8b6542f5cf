"""A campaign, its audience, and the shards that an armed campaign is cut into."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models

from notifier.models import ProviderAccount, Template, TemplateVersion
from notifier.vocabulary.status import Mode
from tenants.models import TenantOwned, User


class Audience(TenantOwned):
    """A segment (a filter over recipients, evaluated when a campaign is armed), an uploaded list of external ids, or
    everybody: who has to be asked for by name, never what is left when a filter is empty."""

    class Source(models.TextChoices):
        SEGMENT = "segment", "Segment: the recipients that a filter finds"
        LIST = "list", "List: the external ids of a file"
        EVERYBODY = "everybody", "Everybody: all recipients"

    name = models.CharField(max_length=200)
    source = models.CharField(max_length=10, choices=Source)
    filter = models.JSONField(default=list, blank=True)
    size = models.IntegerField(default=0, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "name"], name="audience_name")]

    def __str__(self) -> str:
        return self.name


class AudienceMember(models.Model):
    """One external id of an uploaded list; duplicates of the file are merged by the key."""

    id = models.BigAutoField(primary_key=True)
    # the indexes below serve both keys; two more would make filling a million rows a third slower
    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.CASCADE, related_name="+", db_index=False)
    audience = models.ForeignKey(Audience, on_delete=models.CASCADE, related_name="members", db_index=False)
    external_id = models.CharField(max_length=128)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "audience", "external_id"], name="audience_member_once"),
        ]
        # the walk by keyset; without it each page sorted the whole list (120 ms a page of a million, measured)
        indexes = [models.Index(fields=["audience", "id"], name="audience_member_walk")]

    def __str__(self) -> str:
        return self.external_id


class Rollout(models.TextChoices):
    """What leaves at GO."""

    ALL = "all", "everything at once"
    CANARY = "canary", "the canary first, then by itself the rest"
    CANARY_WAIT = "canary_wait", "the canary first, then wait for me"


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
    not_after = models.DateTimeField(null=True, blank=True, help_text="Nothing leaves after this.")
    state = models.CharField(max_length=10, choices=State, default=State.DRAFT, editable=False)
    #: raised by every arm: an arming that was overtaken by an edit sees another number and stops
    revision = models.IntegerField(default=0, editable=False)
    version = models.ForeignKey(TemplateVersion, null=True, editable=False, on_delete=models.PROTECT, related_name="+")
    #: the key of the category that its messages were planned by when it was armed
    category = models.CharField(max_length=64, default="", editable=False)
    failure = models.CharField(max_length=500, blank=True, editable=False)
    audience_size = models.IntegerField(default=0, editable=False)
    processed = models.IntegerField(
        default=0, editable=False, help_text="Audience entries that arming has processed so far."
    )
    unreached = models.IntegerField(default=0, editable=False, help_text="People of the audience who get no message.")
    excluded = models.JSONField(default=dict, editable=False, help_text="Messages left out while arming, by reason.")
    #: when a slice of it was last begun: turns between tenants
    turn_at = models.DateTimeField(null=True, editable=False)
    #: workers that arm it, and those that died of it
    attempts = models.PositiveSmallIntegerField(default=0, editable=False)
    #: why some could not be rendered: campaigns.arming.render_problems
    problems = models.JSONField(default=list, editable=False)
    # -- how it leaves --
    hold_seconds = models.PositiveSmallIntegerField(
        default=0, help_text="Seconds after GO in which it can still be taken back."
    )
    rate_per_s = models.FloatField(null=True, blank=True, help_text="Messages a second at most; empty: no limit.")
    canary_percent = models.PositiveSmallIntegerField(
        default=1, help_text="Share of the messages that can be sent first, to see whether all is well."
    )
    max_error_percent = models.PositiveSmallIntegerField(
        default=20, help_text="It pauses itself when more than this share of its messages fails."
    )
    max_dead_percent = models.PositiveSmallIntegerField(
        default=50, help_text="It pauses itself when more than this share of its addresses is dead."
    )
    rollout = models.CharField(max_length=12, choices=Rollout, default=Rollout.ALL, editable=False)
    # -- rehearsals --
    #: a silent campaign runs the whole way and disturbs nobody: providers check its messages and deliver none
    silent = models.BooleanField(default=False, editable=False)
    rehearsal_of = models.ForeignKey(
        "self", null=True, editable=False, on_delete=models.SET_NULL, related_name="rehearsals"
    )
    #: the last test send, and the version that it showed
    tested_at = models.DateTimeField(null=True, editable=False)
    tested_version = models.ForeignKey(
        TemplateVersion, null=True, editable=False, on_delete=models.SET_NULL, related_name="+"
    )
    # -- what happened --
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(User, null=True, editable=False, on_delete=models.SET_NULL, related_name="+")
    #: set by the first arm, never changed: the time part of every delivery id of this campaign
    first_armed_ms = models.BigIntegerField(null=True, editable=False)
    armed_at = models.DateTimeField(null=True, editable=False)
    #: GO was pressed; until then it can be taken back
    hold_until = models.DateTimeField(null=True, editable=False)
    launched_at = models.DateTimeField(null=True, editable=False)
    canary_passed_at = models.DateTimeField(null=True, editable=False)
    #: why it paused itself; empty when a person did
    halted = models.CharField(max_length=500, blank=True, editable=False)
    #: channel -> why it paused itself; the others go on
    halted_channels = models.JSONField(default=dict, editable=False)
    stopped_at = models.DateTimeField(null=True, editable=False)
    #: every outcome is durable with its shard
    finished_at = models.DateTimeField(null=True, editable=False)
    #: every outcome is in the ledger's row of its message, too
    accounted_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        indexes = [models.Index(fields=["tenant", "-id"], name="campaign_newest")]

    def __str__(self) -> str:
        return self.name


class AudienceRange(models.Model):
    """A part of the audience that is yet to be armed: entries after `after` up to and with `until`.

    Whoever arms it holds the row's lock, and deletes the row in the same transaction: a crash leaves it to the next.
    """

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.CASCADE, related_name="+", db_index=False)
    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="ranges")
    number = models.IntegerField()
    #: keyset bounds: recipient ids of a segment, member ids of a list
    after = models.CharField(max_length=36)
    until = models.CharField(max_length=36)

    def __str__(self) -> str:
        return f"slice {self.number}"


class Shard(TenantOwned):
    """A slice of an armed campaign on one channel and provider account: frozen, rendered, ready to leave.

    `begun`, `sent`, `failed`, `dead` and `requeued` are counts over its payload's rows, written together with the
    outcomes themselves: row i < begun may be on the wire; a row without an outcome among them is in doubt.
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
    canary = models.BooleanField(default=False)
    state = models.CharField(max_length=10, choices=State, default=State.ARMED)
    lease_until = models.DateTimeField(null=True)
    fence = models.IntegerField(default=0)
    worker = models.CharField(max_length=100, default="")
    began_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    begun = models.IntegerField(default=0)
    #: taken by the provider
    sent = models.IntegerField(default=0)
    #: ended otherwise
    failed = models.IntegerField(default=0)
    #: of the failed: the address is no more
    dead = models.IntegerField(default=0)
    #: back in the ledger's hands, for a later attempt
    requeued = models.IntegerField(default=0)
    #: of the failed and the requeued: no provider has said anything against it
    skipped = models.IntegerField(default=0)
    #: the connection ended under the message and others, and no answer came
    disconnected = models.IntegerField(default=0)
    #: its outcomes are in the ledger's rows; the payload is gone
    accounted = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "campaign", "number"], name="shard_number"),
        ]
        indexes = [models.Index(fields=["tenant", "-id"], name="shard_newest")]

    def __str__(self) -> str:
        return f"shard {self.number}"


class ShardPayload(models.Model):
    """What a shard sends and what became of it, kept apart so that claiming and counting shards never reads it."""

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
