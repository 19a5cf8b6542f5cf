"""The base class of models whose rows a tenant owns."""

from __future__ import annotations

from django.db import models

from notifier.vocabulary.ids import new_id


class TenantOwned(models.Model):
    """A row of one tenant. The table has row-level security, and its unique constraints begin with the tenant."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    # no index of its own: each table has a unique constraint or an index that begins with the tenant
    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.CASCADE, related_name="+", db_index=False)

    class Meta:
        abstract = True
