"""What tenants used of their quotas."""

from __future__ import annotations

from django.db import models

from tenants.models import Tenant


class QuotaUse(models.Model):
    """Messages of one tenant and channel in one period. A tenant's count is the sum of its parts: processes write
    different parts, so that they do not wait for each other's row. Only of tenants with quotas."""

    pk = models.CompositePrimaryKey("tenant_id", "starts_on", "period", "channel", "part")
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    starts_on = models.DateField()
    period = models.CharField(max_length=5)
    channel = models.CharField(max_length=16)
    part = models.SmallIntegerField()
    used = models.BigIntegerField(default=0)
    #: of part 0: the share of the quota, in percent, of which the owners were warned; less again once less of it
    #: is used
    warned = models.SmallIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.channel} {self.period} {self.starts_on}"
