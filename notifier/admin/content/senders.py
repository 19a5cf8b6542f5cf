"""The senders that a tenant's templates may name."""

from __future__ import annotations

from django.contrib import admin

from notifier.models import Sender
from tenants.admin import OWNERS, TenantModelAdmin, admin_site


@admin.register(Sender, site=admin_site)
class SenderAdmin(TenantModelAdmin):
    group = "Settings"
    icon = "alternate_email"
    rank = 42
    edited_by = OWNERS
    list_display = ("address", "name", "created_at")
    search_fields = ("address", "name")
    ordering = ("address", "name")
    fields = ("tenant", "address", "name")
