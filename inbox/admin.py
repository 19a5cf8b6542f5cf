"""Inboxes as operators and marketers look at them: read-only."""

from __future__ import annotations

from django.contrib import admin

from inbox.models import Feed, InboxMessage
from notifier.admin.ledger import SENT, FindById
from tenants.admin import admin_site


@admin.register(Feed, site=admin_site)
class FeedAdmin(FindById):
    group = SENT
    rank = 60
    found_by = ("recipient_id",)
    list_display = ("recipient_id", "last_seq", "unread")
    ordering = ("recipient_id",)
    fields = ("tenant", "recipient_id", "last_seq", "unread")


@admin.register(InboxMessage, site=admin_site)
class InboxMessageAdmin(FindById):
    group = SENT
    rank = 50
    list_display = ("created_at", "recipient_id", "seq", "category", "title", "read_at")
    fields = (
        "id",
        "tenant",
        "recipient_id",
        "seq",
        "category",
        "title",
        "body",
        "link",
        "data",
        "created_at",
        "read_at",
    )
