"""The list of approvals: what was asked for, by whom, and the decision, which is made on the campaign's page."""

from __future__ import annotations

from django.contrib import admin
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from campaigns.admin.base import change_url
from campaigns.models import CampaignApproval
from tenants.admin import ReadOnlyAdmin


class ApprovalAdmin(ReadOnlyAdmin):
    group = "Campaigns"
    rank = 16
    icon = "rule"
    list_display = ("about", "decision", "requested_by", "requested_at", "decided_by", "decided_at", "note")
    list_display_links = ("requested_at",)
    list_filter = ("decision",)
    list_select_related = ("tenant", "campaign", "requested_by", "decided_by")
    fields = (
        *("about", "decision", "people", "requested_by", "requested_by_key", "requested_at", "request_note"),
        *("decided_by", "decided_by_key", "decided_at", "note", "hash"),
    )
    readonly_fields = ("about",)
    ordering = ("-id",)

    @admin.display(description=_("campaign"), ordering="campaign__name")
    def about(self, approval: CampaignApproval) -> SafeString:
        return format_html('<a href="{}">{}</a>', change_url(approval.campaign_id), approval.campaign)
