"""The tables of the inbox. InboxMessage is partitioned by month on its id, which is the delivery's id."""

from __future__ import annotations

from django.db import models

from tenants.models import Tenant


class Feed(models.Model):
    """The counters of one recipient's inbox: its last sequence number and its number of unread messages."""

    recipient_id = models.UUIDField(primary_key=True)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    last_seq = models.BigIntegerField(default=0)
    unread = models.IntegerField(default=0)

    def __str__(self) -> str:
        return str(self.recipient_id)


class InboxMessage(models.Model):
    """One message in one inbox. `seq` counts 1, 2, 3 … for each recipient, without gaps."""

    id = models.UUIDField(primary_key=True, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_constraint=False)
    recipient_id = models.UUIDField()
    seq = models.BigIntegerField()
    category = models.CharField(max_length=64, default="")
    title = models.CharField(max_length=500)
    body = models.TextField()
    link = models.CharField(max_length=2000, default="")
    data = models.JSONField(default=dict)
    created_at = models.DateTimeField()
    read_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return str(self.id)
