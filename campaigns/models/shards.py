"""What arming makes of a campaign: ranges of its audience that are not armed yet, and shards with their payloads."""

from __future__ import annotations

from django.db import models

from campaigns.models.campaigns import Campaign
from notifier.models import ProviderAccount
from tenants.models import TenantOwned


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
    #: of a campaign with an A/B test: the test is armed, and the rest of the range waits for the winner
    rest = models.BooleanField(default=False)

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
    #: of an A/B test: all messages are of one variant; empty: of none
    variant = models.CharField(max_length=1, default="")
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
