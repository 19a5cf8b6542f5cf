"""Admin pages of the ledger, read-only. Dead letters can be sent again."""

from __future__ import annotations

import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from notifier.admin.explain import ExplainPage
from notifier.admin.sent import (
    CAMPAIGN,
    CampaignFilter,
    NewestAdmin,
    NewestDeliveriesAdmin,
    SearchByIdAdmin,
    campaign_rows,
    newest_notifications,
)
from notifier.delivery import redrive
from notifier.delivery.ledger.history import load_histories, not_before
from notifier.delivery.routes.show import show_steps
from notifier.models import DeadLetter, Delivery, DeliveryEvent, Notification, OrderingQueue, Route
from notifier.vocabulary.ids import parse_id
from notifier.vocabulary.status import Status
from tenants.admin import NO_ROLE, OPERATORS, TenantTabularInline, admin_site, masked, may
from tenants.admin.audit_entries import record_change
from tenants.admin.base import ChannelFilter
from tenants.admin.lists.large_tables import BaseRows

#: reasons that the page before a re-drive lists
SHOWN_ERRORS = 10


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


@admin.register(Delivery, site=admin_site)
class DeliveryAdmin(NewestAdmin):
    group = "Delivery"
    icon = "outgoing_mail"
    rank = 20
    base_column = "notification_id"
    linked_columns = (CAMPAIGN,)
    searched_columns = ("pk", "recipient_id", "notification_id")
    list_display = (
        "id",
        "channel",
        "status",
        "reason",
        "masked_address",
        "attempt",
        "mode",
        "accepted_at",
        "settled_at",
    )
    list_filter = (CampaignFilter, "status", ChannelFilter, "lane")
    indexed_filters = ("of", CAMPAIGN)
    exclude = ("address", "fence", "queue_position", "seq")

    def base_rows(self, request: HttpRequest, rows: QuerySet[Any]) -> BaseRows:
        campaign_id = request.GET.get(CAMPAIGN, "")
        if campaign_id and not request.GET.get("q", "").strip():
            return campaign_rows(request, rows, parse_id(campaign_id) or uuid.UUID(int=0))
        return super().base_rows(request, rows)

    def search_queries(self, request: HttpRequest, term: str) -> Iterable[QuerySet[Any]]:
        yield from super().search_queries(request, term)
        if campaign_id := parse_id(term):
            # the index on campaign_id leaves out armed deliveries
            yield self.rows(request).filter(campaign_id=campaign_id).exclude(status=Status.ARMED)

    def newest(self, request: HttpRequest) -> Iterable[Any]:
        return newest_notifications(request, self.listed_tenant(request)).values_list("pk", flat=True)

    @admin.display(description=_("address"))
    def masked_address(self, delivery: Delivery) -> str:
        return masked(delivery.address)

    @admin.display(description=_("history"))
    def history_lines(self, delivery: Delivery) -> str:
        steps = load_histories([delivery])[delivery.pk]
        rows = [(timezone.localtime(s.at).isoformat(" ", "milliseconds"), s.what, s.detail) for s in steps]
        return format_html_join("", "<p>{} <strong>{}</strong> {}</p>", rows)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        shown = ("id", "history_lines", "masked_address")
        return (*shown, *(f for f in super().get_fields(request, obj) if f not in shown))


@admin.register(DeliveryEvent, site=admin_site)
class DeliveryEventAdmin(NewestDeliveriesAdmin):
    group = "Delivery"
    icon = "timeline"
    in_navigation = False
    rank = 40
    searched_columns = ("pk", "delivery_id")
    search_help_text = "The delivery's id."
    list_display = ("at", "what", "delivery_id", "detail")
    fields = ("tenant", "delivery_id", "what", "detail", "at")


@admin.register(DeadLetter, site=admin_site)
class DeadLetterAdmin(SearchByIdAdmin):
    group = "Delivery"
    icon = "report"
    rank = 30
    searched_columns = ("pk", "delivery_id")
    search_help_text = "The delivery's id."
    list_display = ("delivery_id", "channel", "attempts", "last_error", "created_at", "redriven_at")
    list_filter = (ChannelFilter, ("redriven_at", admin.EmptyFieldListFilter))
    fields = ("tenant", "delivery_id", "channel", "attempts", "last_error", "created_at", "redriven_at")
    actions = ("send_again",)

    def has_redrive_permission(self, request: HttpRequest) -> bool:
        return may(request, OPERATORS)

    @admin.action(description=_("Send again, with fresh attempts"), permissions=["redrive"])
    def send_again(self, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        """First a page with the count; a POST of that page queues the messages again."""
        letters = [row for row in queryset.filter(redriven_at=None) if may(request, OPERATORS, row)]
        if letters and not request.POST.get("confirmed"):
            return self._confirmation(request, letters)
        letters_by_tenant: dict[uuid.UUID, list[DeadLetter]] = defaultdict(list)
        for letter in letters:
            letters_by_tenant[letter.tenant_id].append(letter)
        queued = 0
        for tenant_id, of_tenant in letters_by_tenant.items():
            queued += redrive(tenant_id, [letter.pk for letter in of_tenant])
            for letter in of_tenant:
                record_change(request, letter, "redriven")
        messages.success(
            request, ngettext("%(n)d message queued again.", "%(n)d messages queued again.", queued) % {"n": queued}
        )
        return None

    def _confirmation(self, request: HttpRequest, letters: list[DeadLetter]) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Send again?"),
            "letters": letters,
            "by_channel": sorted(Counter(letter.channel for letter in letters).items()),
            "by_error": Counter(letter.last_error for letter in letters).most_common(SHOWN_ERRORS),
        }
        return TemplateResponse(request, "admin/notifier/deadletter/send_again.html", context)


@admin.register(OrderingQueue, site=admin_site)
class OrderingQueueAdmin(NewestAdmin):
    group = "Operations"
    icon = "reorder"
    searched_columns = ("recipient_id",)
    search_fields = ("recipient_id",)
    list_display = ("recipient_id", "channel", "lane", "mode", "unfinished", "turn_taken")
    list_filter = (ChannelFilter, "turn_taken")
