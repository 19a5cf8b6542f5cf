"""Files that templates and requests attach: read-only."""

from __future__ import annotations

from django.contrib import admin

from notifier.models import StoredFile
from tenants.admin import admin_site
from tenants.admin.lists.large_tables import ReadOnlyLargeTableAdmin


@admin.register(StoredFile, site=admin_site)
class StoredFileAdmin(ReadOnlyLargeTableAdmin):
    """One row for each content of each attachment: a tenant that sends invoices has millions."""

    group = "Templates"
    icon = "attach_file"
    rank = 18
    list_display = ("name", "content_type", "size", "created_at")
    fields = ("tenant", "name", "content_type", "size", "digest", "created_at")
