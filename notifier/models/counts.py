"""What stays of messages that are deleted: how many there were, without persons."""

from __future__ import annotations

from django.db import models

from tenants.models import Tenant


class MessageCount(models.Model):
    """Deleted messages of one day (in UTC, of their acceptance) that are alike. Empty where there is none: `template`
    and `version` of a campaign's messages, which its row names. `provider`: of the account that the message had."""

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False)
    day = models.DateField()
    campaign_id = models.UUIDField()  #: zeros: of no campaign
    channel = models.CharField(max_length=16)
    category = models.CharField(max_length=64)
    template = models.CharField(max_length=64)
    status = models.SmallIntegerField()
    reason = models.CharField(max_length=32)
    provider = models.CharField(max_length=32)
    locale = models.CharField(max_length=16)
    mode = models.CharField(max_length=8)
    messages = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=[
                    "tenant", "day", "campaign_id", "channel", "category", "template", "status", "reason", "provider",
                    "locale", "mode",
                ],
                name="message_count_once",
            )
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.day} {self.channel} {self.status}"


class RequestCount(models.Model):
    """Deleted requests of one quarter of an hour: the days of the home page are those of the reader's time zone, and
    zones differ from UTC by quarters of an hour."""

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False)
    at = models.DateTimeField()
    requests = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "at"], name="request_count_once")]

    def __str__(self) -> str:
        return f"{self.at}"


class RetiredPartition(models.Model):
    """A month's table that is detached and will be dropped, once all its rows are counted. `checked`: no row has come
    to life before the table was detached. `counted`: the last id that is counted; a worker that takes over goes on
    after it. Of no tenant: a month has rows of all."""

    name = models.CharField(max_length=63, primary_key=True)
    parent = models.CharField(max_length=63)
    checked = models.BooleanField(default=False)
    counted = models.UUIDField()
    retired_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name
