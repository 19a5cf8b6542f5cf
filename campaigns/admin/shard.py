"""Shards, read-only: which worker sent a shard, and when."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from campaigns.models import Campaign, Shard
from tenants.admin.base.filters import ChannelFilter
from tenants.admin.base.visibility import visible_rows
from tenants.admin.lists.large_tables import ReadOnlyLargeTableAdmin

#: a search shows the shards of so many campaigns
CAMPAIGNS = 20


class ShardAdmin(ReadOnlyLargeTableAdmin):
    group = "Delivery"
    icon = "grid_view"
    in_navigation = False
    rank = 80
    list_display = (
        "campaign", "number", "channel", "account", "size", "sent", "failed", "requeued", "state", "worker", "took",
        "rate",
    )  # fmt: skip
    list_filter = ("state", ChannelFilter, "canary")
    list_select_related = ("tenant", "campaign", "account")
    search_fields = ("campaign",)
    search_help_text = "A part of the campaign's name."
    linked_columns = ("campaign__id__exact",)

    def search_queries(self, request: HttpRequest, term: str) -> Iterable[QuerySet[Any]]:
        campaigns = visible_rows(Campaign.objects.filter(name__icontains=term), request).order_by("-id")
        ids = list(campaigns.values_list("pk", flat=True)[:CAMPAIGNS])
        return [self.rows(request).filter(campaign_id__in=ids)]

    @admin.display(description=_("took"))
    def took(self, shard: Shard) -> str:
        if shard.began_at is None or shard.ended_at is None:
            return "–"
        return f"{(shard.ended_at - shard.began_at).total_seconds():.2f} s"

    @admin.display(description=_("sent a second"))
    def rate(self, shard: Shard) -> str:
        if shard.began_at is None or shard.ended_at is None or shard.ended_at <= shard.began_at:
            return "–"
        return f"{shard.sent / (shard.ended_at - shard.began_at).total_seconds():,.0f}"
