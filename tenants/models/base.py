"""The base of everything a tenant owns."""

from __future__ import annotations

from django.db import models

from notifier.vocabulary.ids import new_id


class TenantOwned(models.Model):
    """A row of one tenant. Its table has row-level security, and its unique constraints start with the tenant."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    # no index of its own: a unique constraint or an index that starts with the tenant serves it
    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.CASCADE, related_name="+", db_index=False)

    class Meta:
        abstract = True
