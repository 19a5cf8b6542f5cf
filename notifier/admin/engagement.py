"""Opens and clicks of campaigns that are counted without persons: read-only. The campaign's page shows them as well."""

from __future__ import annotations

from django.contrib import admin

from notifier.models import EngagementCount
from tenants.admin import admin_site
from tenants.admin.base.model_admin import ReadOnlyAdmin


@admin.register(EngagementCount, site=admin_site)
class EngagementCountAdmin(ReadOnlyAdmin):
    group = "Delivery"
    icon = "ads_click"
    in_navigation = False
    rank = 70
    list_display = ("campaign_id", "kind", "machine", "total")
    list_filter = ("machine",)
    fields = ("tenant", "campaign_id", "kind", "machine", "total")
    ordering = ("-id",)
