"""Base classes for lists of sent messages. A list shows the result of a search, one campaign, or the newest
notifications.

No index of these tables begins with the tenant, because it would cost arming 3 µs a message. So a list for a tenant
starts from rows that another index finds, and every filter on the list then reads a bounded number of rows.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from notifier.models import Delivery, Notification
from notifier.vocabulary.ids import id_floor, parse_id
from notifier.vocabulary.status import Status
from tenants.admin.base.indexes import prefer_indexes
from tenants.admin.base.visibility import visible_rows
from tenants.admin.lists.large_tables import BaseRows, ReadOnlyLargeTableAdmin
from tenants.admin.lists.limits import list_limits
from tenants.admin.pages.people import recipient_ids

CAMPAIGN = "campaign_id"
_NOTE = (
    "What belongs to the newest {:,} notifications. Search for older ones; the messages of a campaign are listed"
    " from its report."
)
_armed_ms_finders: list[Callable[[uuid.UUID], int | None]] = []


def register_armed_ms_finder(finder: Callable[[uuid.UUID], int | None]) -> None:
    """`finder` returns the milliseconds with which all delivery ids of a campaign begin; None if it was never armed."""
    _armed_ms_finders.append(finder)


class SearchByIdAdmin(ReadOnlyLargeTableAdmin):
    """A list whose search box takes an id or an external id."""

    group = "Delivery"
    searched_columns: ClassVar[tuple[str, ...]] = ("pk", "recipient_id")
    search_fields = ("pk",)
    search_help_text = "The id of the row, an id that the row names, or a recipient's external id."

    def search_queries(self, request: HttpRequest, term: str) -> Iterable[QuerySet[Any]]:
        rows = self.rows(request)
        searched_id = parse_id(term)
        if searched_id is not None:
            return [rows.filter(**{name: searched_id}) for name in self.searched_columns]
        if "recipient_id" not in self.searched_columns:
            return []
        return [rows.filter(recipient_id__in=recipient_ids(request, term))]


class NewestAdmin(SearchByIdAdmin):
    """A list of the rows that belong to the newest notifications. `base_column` holds the ids that `newest` returns."""

    base_column: ClassVar[str] = "recipient_id"

    def base_rows(self, request: HttpRequest, rows: QuerySet[Any]) -> BaseRows:
        if request.GET.get("q", "").strip():
            return BaseRows(rows, bounded=True)
        with prefer_indexes():
            newest_ids = list(self.newest(request))
            ids = list(rows.order_by().filter(**{f"{self.base_column}__in": newest_ids}).values_list("pk", flat=True))
        return BaseRows(rows.filter(pk__in=ids), bounded=True, note=_NOTE.format(list_limits().newest_notifications))

    def newest(self, request: HttpRequest) -> Iterable[Any]:
        """The recipients of the newest notifications."""
        return newest_notifications(request, self.listed_tenant(request)).values_list("recipient_id", flat=True)


class NewestDeliveriesAdmin(NewestAdmin):
    """The same for a table whose rows name a delivery."""

    base_column = "delivery_id"

    def newest(self, request: HttpRequest) -> Iterable[Any]:
        return newest_deliveries(request, self.listed_tenant(request))


def newest_notifications(request: HttpRequest, listed_tenant: uuid.UUID | None) -> QuerySet[Notification]:
    rows = visible_rows(Notification.objects.all(), request)
    rows = rows.filter(tenant_id=listed_tenant) if listed_tenant else rows
    return rows.order_by("-id")[: list_limits().newest_notifications]


def newest_deliveries(request: HttpRequest, listed_tenant: uuid.UUID | None) -> list[uuid.UUID]:
    """Ids of the deliveries of the newest notifications."""
    notification_ids = list(newest_notifications(request, listed_tenant).values_list("pk", flat=True))
    deliveries = visible_rows(Delivery.objects.filter(notification_id__in=notification_ids), request)
    return list(deliveries.values_list("pk", flat=True))


def campaign_rows(request: HttpRequest, rows: QuerySet[Delivery], campaign: uuid.UUID) -> BaseRows:
    """The messages of a campaign: the range of ids that begin with its milliseconds. The index on campaign_id finds the
    messages of one status, if there are few."""
    ms = next((ms for find in _armed_ms_finders if (ms := find(campaign)) is not None), None)
    if ms is None:
        return BaseRows(rows.none(), bounded=True, note="There is no such campaign, or it was never armed.")
    in_range = rows.filter(campaign_id=campaign, id__gte=id_floor(ms), id__lt=id_floor(ms + 1))
    status = request.GET.get("status__exact", "")
    # the index leaves out armed messages
    if status not in {str(s.value) for s in Status if s != Status.ARMED}:
        return BaseRows(in_range)
    bound = list_limits().sorted_messages
    with prefer_indexes():
        few = rows.order_by().filter(campaign_id=campaign, status=int(status))
        ids = list(few.values_list("pk", flat=True)[: bound + 1])
    if len(ids) > bound:
        return BaseRows(in_range)
    return BaseRows(rows.filter(pk__in=ids), bounded=True)


class CampaignFilter(admin.SimpleListFilter):
    """Shown while the list is about one campaign, to which reports link."""

    title = _("campaign")
    parameter_name = CAMPAIGN

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        campaign_id = request.GET.get(CAMPAIGN, "")
        return [(campaign_id, "this campaign")] if campaign_id else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Nothing to filter: `base_rows` has chosen the campaign's rows."""
        return queryset
