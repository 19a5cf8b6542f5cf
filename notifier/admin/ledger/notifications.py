"""Notifications and their routes: read-only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import admin
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.translation import gettext_lazy as _

from notifier.admin.ledger.explain import ExplainPage
from notifier.admin.ledger.lists import SearchByIdAdmin
from notifier.delivery.ledger.history import not_before
from notifier.delivery.routes.show import show_steps
from notifier.models import Delivery, Notification, Route
from tenants.admin import NO_ROLE, TenantTabularInline, admin_site


class DeliveryInline(TenantTabularInline):
    model = Delivery
    edited_by = NO_ROLE
    can_add = False
    fields = readonly_fields = ("channel", "status", "reason", "attempt", "settled_at")
    show_change_link = True


@admin.register(Notification, site=admin_site)
class NotificationAdmin(ExplainPage, SearchByIdAdmin):
    group = "Delivery"
    icon = "notifications"
    rank = 10
    list_display = ("id", "recipient", "category", "mode", "lane", "send_at", "created_at")
    list_filter = ("mode", "lane")
    list_select_related = ("tenant", "recipient")
    inlines = (DeliveryInline,)
    fields = (
        "id",
        "tenant",
        "recipient",
        "version",
        "category",
        "mode",
        "lane",
        "data",
        "send_at",
        "not_after",
        "group_key",
        "created_at",
        "steps_of_route",
    )

    @admin.display(description=_("route"))
    def steps_of_route(self, notification: Notification) -> str:
        deliveries = list(Delivery.objects.filter(notification=notification, pk__gte=not_before([notification.pk])))
        rows = [(step_in_words(step),) for step in show_steps(notification, deliveries, timezone.now())]
        return format_html_join("", "<p>{}</p>", rows) or "None: all channels at once."


def step_in_words(step: Mapping[str, Any]) -> str:
    """One step of a route: when it leaves, and its state."""
    begin = f"after {step['after']} unless {step['unless']}: " if "after" in step else ""
    state = step["state"].replace("_", " ")
    leaves_at = f", leaves at {timezone.localtime(step['leaves_at']):%Y-%m-%d %H:%M:%S}" if "leaves_at" in step else ""
    return f"{step['step']}. {begin}{', '.join(step['channels'])} ({state}{leaves_at})"


@admin.register(Route, site=admin_site)
class RouteAdmin(SearchByIdAdmin):
    group = "Delivery"
    icon = "alt_route"
    in_navigation = False
    rank = 25
    searched_columns = ("pk", "notification_id")
    search_help_text = "The notification's id."
    list_display = ("notification_id", "step", "due_at")
    fields = ("tenant", "notification_id", "steps", "step", "due_at")
