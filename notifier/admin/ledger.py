"""The ledger and what belongs to it, read-only; dead letters can be driven again."""

from __future__ import annotations

import uuid
from collections import defaultdict
from typing import Any

from django.contrib import admin, messages
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html_join

from notifier.delivery import redrive
from notifier.delivery.history import histories
from notifier.models import DeadLetter, Delivery, DeliveryEvent, Line, Notification
from tenants.admin import MARKETERS, NOBODY, ReadOnlyAdmin, TenantTabularInline, admin_site, masked, may
from tenants.admin.base import ChannelFilter, visible
from tenants.admin.trail import note
from tenants.models import Recipient

SENT = "What was sent"


def find(rows: QuerySet[Any], term: str, by: tuple[str, ...], request: HttpRequest) -> QuerySet[Any]:
    """Rows one of whose ids is the term, or whose recipient the tenant calls so. Each way is an index."""
    try:
        wanted = uuid.UUID(term)
    except ValueError:
        people = visible(Recipient.objects.filter(external_id=term), request).values_list("pk", flat=True)[:100]
        return rows.filter(recipient_id__in=list(people))
    return rows.filter(_any_of(wanted, by))


def _any_of(wanted: uuid.UUID, by: tuple[str, ...]) -> Q:
    condition = Q()
    for name in by:
        condition |= Q(**{name: wanted})
    return condition


class FindById(ReadOnlyAdmin):
    """A page whose search box takes an id or an external id."""

    group = SENT
    found_by: tuple[str, ...] = ("pk", "recipient_id")
    search_fields = ("pk",)
    search_help_text = "An id (its own, or one of those it names), or a recipient's external id."
    ordering = ("-id",)

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        term = search_term.strip()
        return (find(queryset, term, self.found_by, request) if term else queryset), False


class DeliveryInline(TenantTabularInline):
    model = Delivery
    edited_by = NOBODY
    can_add = False
    fields = readonly_fields = ("channel", "status", "reason", "attempt", "settled_at")
    show_change_link = True


@admin.register(Notification, site=admin_site)
class NotificationAdmin(FindById):
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
        "created_at",
    )


@admin.register(Delivery, site=admin_site)
class DeliveryAdmin(FindById):
    rank = 20
    found_by = ("pk", "recipient_id", "notification_id", "campaign_id")
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
    list_filter = ("status", ChannelFilter, "lane")
    exclude = ("address", "fence", "place", "seq")

    @admin.display(description="address")
    def masked_address(self, delivery: Delivery) -> str:
        return masked(delivery.address)

    @admin.display(description="history")
    def told(self, delivery: Delivery) -> str:
        steps = histories([delivery])[delivery.pk]
        rows = [(timezone.localtime(s.at).isoformat(" ", "milliseconds"), s.what, s.detail) for s in steps]
        return format_html_join("", "<p>{} <strong>{}</strong> {}</p>", rows)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        shown = ("id", "told", "masked_address")
        return (*shown, *(f for f in super().get_fields(request, obj) if f not in shown))


class FindByDelivery(FindById):
    """A page whose rows name a delivery and no recipient."""

    found_by = ("pk", "delivery_id")
    search_help_text = "The delivery's id."

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        try:
            uuid.UUID(search_term.strip() or uuid.UUID(int=0).hex)
        except ValueError:
            return queryset.none(), False
        return super().get_search_results(request, queryset, search_term)


@admin.register(DeliveryEvent, site=admin_site)
class DeliveryEventAdmin(FindByDelivery):
    rank = 40
    list_display = ("at", "what", "delivery_id", "detail")
    fields = ("tenant", "delivery_id", "what", "detail", "at")


@admin.register(DeadLetter, site=admin_site)
class DeadLetterAdmin(FindByDelivery):
    rank = 30
    list_display = ("delivery_id", "channel", "attempts", "last_error", "created_at", "redriven_at")
    list_filter = (ChannelFilter, ("redriven_at", admin.EmptyFieldListFilter))
    fields = ("tenant", "delivery_id", "channel", "attempts", "last_error", "created_at", "redriven_at")
    actions = ("send_again",)

    def has_redrive_permission(self, request: HttpRequest) -> bool:
        return may(request, MARKETERS)

    @admin.action(description="Send again, with fresh attempts", permissions=["redrive"])
    def send_again(self, request: HttpRequest, queryset: Any) -> None:
        chosen: dict[uuid.UUID, list[Model]] = defaultdict(list)
        for letter in queryset.filter(redriven_at=None):
            if may(request, MARKETERS, letter):
                chosen[letter.tenant_id].append(letter)
        queued = 0
        for tenant_id, letters in chosen.items():
            queued += redrive(tenant_id, [letter.pk for letter in letters])
            for letter in letters:
                note(request, letter, "redriven")
        messages.success(request, f"{queued} queued again.")


@admin.register(Line, site=admin_site)
class LineAdmin(FindById):
    group = "Operations"
    found_by = ("recipient_id",)
    search_fields = ("recipient_id",)
    list_display = ("recipient_id", "channel", "lane", "unfinished", "held")
    list_filter = (ChannelFilter, "held")
