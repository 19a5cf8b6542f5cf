"""Deliveries, their events, and the ordering queues that they stand in: read-only."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.translation import gettext_lazy as _

from notifier.admin.ledger.lists import (
    CAMPAIGN,
    CampaignFilter,
    NewestAdmin,
    NewestDeliveriesAdmin,
    campaign_rows,
    newest_notifications,
)
from notifier.delivery.ledger.history import load_histories
from notifier.models import Delivery, DeliveryEvent, OrderingQueue
from notifier.vocabulary.ids import parse_id
from notifier.vocabulary.status import Status
from tenants.admin import admin_site, masked
from tenants.admin.base.filters import ChannelFilter
from tenants.admin.lists.large_tables import BaseRows


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


@admin.register(OrderingQueue, site=admin_site)
class OrderingQueueAdmin(NewestAdmin):
    group = "Operations"
    icon = "reorder"
    searched_columns = ("recipient_id",)
    search_fields = ("recipient_id",)
    list_display = ("recipient_id", "channel", "lane", "mode", "unfinished", "turn_taken")
    list_filter = (ChannelFilter, "turn_taken")
