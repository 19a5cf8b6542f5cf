"""The tables of the inbox. InboxMessage is partitioned by month on its id, which is the delivery's id."""

from __future__ import annotations

from django.db import models

from tenants.models import Tenant


class State(models.IntegerChoices):
    """Where a message is. The first two are in the inbox; a message leaves it and comes back."""

    UNREAD = 0
    READ = 1
    ARCHIVED = 2
    SNOOZED = 3
    #: the row stays without its content, so that open sockets learn of it and a repeated delivery stores nothing
    DELETED = 4


class Feed(models.Model):
    """The counters of one recipient's inbox. Each change of the inbox locks this row first and raises `last_seq` or
    `revision`, so the counters equal a count of the messages at every commit.

    A message is unseen while it is unread and its number is above `seen_seq`."""

    recipient_id = models.UUIDField(primary_key=True)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    #: the number of the newest message
    last_seq = models.BigIntegerField(default=0)
    #: the recipient has seen all messages up to this number
    seen_seq = models.BigIntegerField(default=0, db_default=0)
    #: how many changes the recipient has made; each changed message has the number of its last change
    revision = models.BigIntegerField(default=0, db_default=0)
    unread = models.IntegerField(default=0)
    unseen = models.IntegerField(default=0, db_default=0)
    #: category -> [unread, unseen], without categories that have none
    by_category = models.JSONField(default=dict, db_default={})

    def __str__(self) -> str:
        return str(self.recipient_id)


class InboxMessage(models.Model):
    """One message in one inbox. `seq` counts 1, 2, 3 … for each recipient. A message that comes back from being
    snoozed gets the next number."""

    id = models.UUIDField(primary_key=True, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_constraint=False)
    recipient_id = models.UUIDField()
    seq = models.BigIntegerField()
    state = models.SmallIntegerField(choices=State.choices, default=State.UNREAD, db_default=State.UNREAD)
    category = models.CharField(max_length=64, default="")
    title = models.CharField(max_length=500)
    body = models.TextField()
    link = models.CharField(max_length=2000, default="")
    data = models.JSONField(default=dict)
    created_at = models.DateTimeField()
    read_at = models.DateTimeField(null=True)
    snoozed_until = models.DateTimeField(null=True)
    #: the feed's revision at the last change; 0 for a message that was only stored
    revision = models.BigIntegerField(default=0, db_default=0)

    def __str__(self) -> str:
        return str(self.id)
