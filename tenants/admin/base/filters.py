"""Filters of lists: by tenant, by channel, by a related row."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from notifier.channels import channels
from tenants.admin.base.visibility import visible_rows
from tenants.admin.roles import is_platform_operator, roles_of
from tenants.models import Tenant


class TenantFilter(admin.SimpleListFilter):
    """The list's rows by the user's tenants."""

    title = _("tenant")
    parameter_name = "of"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(t.pk), t.name) for t in visible_rows(Tenant.objects.order_by("name"), request)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(tenant_id=self.value()) if self.value() else queryset


class ChannelFilter(admin.SimpleListFilter):
    """Rows by channel. Django's own filter of a text column would scan a table of millions for its distinct values."""

    title = _("channel")
    parameter_name = "channel"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name in sorted(channels())]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(channel=self.value()) if self.value() else queryset


class OwnedChoices(admin.RelatedFieldListFilter):
    """A filter by a related row that offers only rows of the user's tenants."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> Any:
        own = {} if is_platform_operator(request) else {"tenant__in": list(roles_of(request))}
        return field.get_choices(include_blank=False, limit_choices_to=own, ordering=())
