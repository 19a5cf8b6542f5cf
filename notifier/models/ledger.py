"""The ledger. Delivery and DeliveryEvent are partitioned by month on their time-ordered id (see the migration)."""

from __future__ import annotations

from django.db import models

from notifier.models.content import TemplateVersion
from notifier.values.push_token import MAX_PLATFORM
from notifier.vocabulary.ids import new_id
from notifier.vocabulary.status import Lane, Mode, QueuePosition, Status
from tenants.models import Recipient, Tenant, TenantOwned

STATUSES = [(s.value, s.label) for s in Status]


class Notification(TenantOwned):
    """One request to reach one recipient, on one or more channels.

    As in all tables in which every message writes a row, PostgreSQL does not check foreign keys: a check costs 5 µs a
    key, and locks the tenant's and the template's rows for every message."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False)
    recipient = models.ForeignKey(Recipient, on_delete=models.CASCADE, related_name="+", db_constraint=False)
    version = models.ForeignKey(
        TemplateVersion, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    category = models.CharField(max_length=64, blank=True)
    mode = models.CharField(max_length=8, choices=[(m.value, m.value) for m in Mode], default=Mode.LIVE)
    lane = models.SmallIntegerField(choices=[(lane.value, lane.name.lower()) for lane in Lane])
    data = models.JSONField(default=dict)
    send_at = models.DateTimeField(null=True, blank=True)
    not_after = models.DateTimeField(null=True, blank=True)
    group_key = models.CharField(max_length=64, default="", blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [
            # ascending, although the newest come first: an index that grows at its left end stays half empty
            models.Index(fields=["tenant", "id"], name="notification_newest"),
            # whether a template is in use
            models.Index(fields=["version"], name="notification_version"),
            # cancelling a group
            models.Index(
                fields=["tenant", "group_key", "id"], name="notification_group", condition=~models.Q(group_key="")
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)


class OrderingQueue(models.Model):
    """The queue of (recipient, channel, lane, mode): its row's lock keeps the order; `turn_taken`: a delivery has
    the turn."""

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False)
    recipient_id = models.UUIDField()
    channel = models.CharField(max_length=16)
    lane = models.SmallIntegerField()
    mode = models.CharField(max_length=8)
    unfinished = models.IntegerField(default=0)
    turn_taken = models.BooleanField(default=False)
    #: `turn_taken` before the newest acceptance, which reads the value in the statement that changes it: RETURNING
    #: gives values of before only since PostgreSQL 18
    turn_was_taken = models.BooleanField(default=False, db_default=False, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "recipient_id", "channel", "lane", "mode"], name="ordering_queue_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.recipient_id} {self.channel} {self.lane} {self.mode}"


class Delivery(models.Model):
    """One message, on one channel, to one address. A campaign's ids are derived from addresses, so the primary key
    allows one message an address."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_constraint=False)
    # the index is in the migration: rows of campaigns have no notification, and need no entry in the index
    notification = models.ForeignKey(
        Notification,
        null=True,
        on_delete=models.DO_NOTHING,
        related_name="deliveries",
        db_constraint=False,
        db_index=False,
    )
    campaign_id = models.UUIDField(null=True)
    recipient_id = models.UUIDField()
    category = models.CharField(max_length=64, default="")
    channel = models.CharField(max_length=16)
    platform = models.CharField(max_length=MAX_PLATFORM, default="")
    address = models.CharField(max_length=1024)
    device_id = models.UUIDField(null=True)
    account_id = models.UUIDField(null=True)
    lane = models.SmallIntegerField(choices=[(lane.value, lane.name.lower()) for lane in Lane])
    status = models.SmallIntegerField(choices=STATUSES)
    reason = models.CharField(max_length=32, default="")
    detail = models.CharField(max_length=300, default="")
    mode = models.CharField(max_length=8, default=Mode.LIVE)
    content = models.JSONField(null=True)
    attempt = models.SmallIntegerField(default=0)
    due_at = models.DateTimeField()
    not_after = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)
    fence = models.IntegerField(default=0)
    seq = models.BigIntegerField(default=0)
    queue_position = models.SmallIntegerField(default=QueuePosition.HAS_TURN)
    provider_ref = models.CharField(max_length=200, default="")
    accepted_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "deliveries"

    def __str__(self) -> str:
        return str(self.id)


class DeliveryEvent(models.Model):
    """A step of a delivery that its row does not keep (notifier.delivery.ledger.history); append-only."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_constraint=False)
    delivery = models.ForeignKey(Delivery, on_delete=models.DO_NOTHING, related_name="events", db_constraint=False)
    what = models.CharField(max_length=16)
    detail = models.CharField(max_length=300, default="")
    at = models.DateTimeField()

    def __str__(self) -> str:
        return self.what


class DeadLetter(TenantOwned):
    """A delivery that exhausted its attempts; can be inspected and re-driven."""

    delivery = models.OneToOneField(
        Delivery, on_delete=models.DO_NOTHING, related_name="dead_letter", db_constraint=False
    )
    channel = models.CharField(max_length=16)
    attempts = models.SmallIntegerField()
    last_error = models.CharField(max_length=300)
    created_at = models.DateTimeField(auto_now_add=True)
    redriven_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["tenant", "-id"], name="dead_letter_newest"),
            # the home page counts the letters that nobody has sent again
            models.Index(fields=["tenant"], name="dead_letter_open", condition=models.Q(redriven_at__isnull=True)),
        ]

    def __str__(self) -> str:
        return str(self.delivery_id)
