"""Opens, clicks and arrivals that the site itself saw, or that a tenant's app reported; and counts without persons."""

from __future__ import annotations

from django.db import models

from tenants.models import Tenant, TenantOwned


class EngagementBatch(TenantOwned):
    """Events of one tenant and channel that a worker has not applied yet. The worker deletes the row with the
    transaction that applies the events. `events`: JSON (notifier.delivery.engagement.hits)."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False)
    channel = models.CharField(max_length=16)
    events = models.TextField()
    received_at = models.DateTimeField()
    due_at = models.DateTimeField()
    attempts = models.SmallIntegerField(default=0)

    class Meta:
        verbose_name_plural = "engagement batches"
        indexes = [models.Index(fields=["due_at"], name="engagement_batch_due")]

    def __str__(self) -> str:
        return str(self.id)


class EngagementCount(TenantOwned):
    """How often the emails of a campaign were opened and their links clicked, where the tenant counts without
    persons. `kind`: opened or clicked; `machine`: by scanners and prefetchers."""

    campaign_id = models.UUIDField()
    kind = models.CharField(max_length=16)
    machine = models.BooleanField()
    total = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "campaign_id", "kind", "machine"], name="engagement_count_once")
        ]

    def __str__(self) -> str:
        return f"{self.campaign_id} {self.kind}"
