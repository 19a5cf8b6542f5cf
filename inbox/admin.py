"""Admin pages of inboxes, read-only."""

from __future__ import annotations

from django.contrib import admin

from inbox.models import Feed, InboxMessage
from notifier.admin.ledger.lists import NewestAdmin, NewestDeliveriesAdmin
from tenants.admin import admin_site


@admin.register(Feed, site=admin_site)
class FeedAdmin(NewestAdmin):
    group = "Operations"
    icon = "dynamic_feed"
    in_navigation = False
    rank = 60
    searched_columns = ("recipient_id",)
    order = "recipient_id"
    list_display = ("recipient_id", "last_seq", "unread", "unseen")
    fields = ("tenant", "recipient_id", "last_seq", "seen_seq", "revision", "unread", "unseen", "by_category")


@admin.register(InboxMessage, site=admin_site)
class InboxMessageAdmin(NewestDeliveriesAdmin):
    group = "Delivery"
    icon = "inbox"
    rank = 50
    # an inbox message has the id of its delivery
    base_column = "pk"
    list_display = ("created_at", "recipient_id", "seq", "category", "title", "state", "read_at")
    fields = (
        "id",
        "tenant",
        "recipient_id",
        "seq",
        "state",
        "category",
        "title",
        "body",
        "link",
        "data",
        "created_at",
        "read_at",
        "snoozed_until",
    )
