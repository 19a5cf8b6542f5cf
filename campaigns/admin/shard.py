"""Shards, read-only: who sent which slice, and when."""

from __future__ import annotations

from django.contrib import admin

from campaigns.models import Shard
from tenants.admin import ReadOnlyAdmin


class ShardAdmin(ReadOnlyAdmin):
    group = "What was sent"
    rank = 80
    list_display = ("campaign", "number", "channel", "account", "size", "state", "worker", "took")
    list_filter = ("state", "channel")
    list_select_related = ("tenant", "campaign", "account")
    search_fields = ("campaign__name", "worker")
    ordering = ("-id",)

    @admin.display(description="took")
    def took(self, shard: Shard) -> str:
        if shard.began_at is None or shard.ended_at is None:
            return "–"
        return f"{(shard.ended_at - shard.began_at).total_seconds():.2f} s"
