"""The erasure of a person: what was done, and what keeps their addresses from being written to again."""

from __future__ import annotations

from django.db import models

from tenants.models.base import TenantOwned


class Erasure(TenantOwned):
    """One person's erasure, and its receipt. The recipient's own row loses its data at once; a task does the rest."""

    class State(models.TextChoices):
        RUNNING = "running"
        DONE = "done"

    recipient_id = models.UUIDField()
    state = models.CharField(max_length=8, choices=State, default=State.RUNNING)
    #: what was erased, by kind: devices, messages, inbox_messages …
    removed = models.JSONField(default=dict)
    requested_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "recipient_id"], name="erasure_once")]
        indexes = [
            models.Index(fields=["tenant", "-id"], name="erasure_newest"),
            models.Index(fields=["id"], name="erasure_running", condition=models.Q(state="running")),
        ]

    def __str__(self) -> str:
        return str(self.recipient_id)


class ErasedAddress(TenantOwned):
    """The hash of an address of an erased person, by the SQL function erased_digest. A trigger suppresses the
    address when the tenant stores it again for a recipient, whichever surface stores it."""

    channel = models.CharField(max_length=16)
    digest = models.BinaryField(max_length=32)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name_plural = "erased addresses"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "channel", "digest"], name="erased_address_once"),
        ]

    def __str__(self) -> str:
        return self.channel
