"""Shards, read-only: who sent which slice, and when."""

from __future__ import annotations

from django.contrib import admin

from campaigns.models import Shard
from tenants.admin import ReadOnlyAdmin


class ShardAdmin(ReadOnlyAdmin):
    group = "What was sent"
    rank = 80
    list_display = (
        "campaign", "number", "channel", "account", "size", "sent", "failed", "handed", "state", "worker", "took",
        "rate",
    )  # fmt: skip
    list_filter = ("state", "channel", "canary")
    list_select_related = ("tenant", "campaign", "account")
    search_fields = ("campaign__name", "worker")
    ordering = ("-id",)

    @admin.display(description="took")
    def took(self, shard: Shard) -> str:
        if shard.began_at is None or shard.ended_at is None:
            return "–"
        return f"{(shard.ended_at - shard.began_at).total_seconds():.2f} s"

    @admin.display(description="sent a second")
    def rate(self, shard: Shard) -> str:
        if shard.began_at is None or shard.ended_at is None or shard.ended_at <= shard.began_at:
            return "–"
        return f"{shard.sent / (shard.ended_at - shard.began_at).total_seconds():,.0f}"
