"""Times in the admin are read, typed and shown in the tenant's time zone, which stands beside them.

A list uses the zone of the tenant that it shows, a row's page the zone of the row's tenant. Pages about several
tenants, which operators see, use UTC.
"""

from __future__ import annotations

import zoneinfo
from datetime import datetime
from typing import Any

from django.contrib.admin.widgets import AdminSplitDateTime
from django.db.models import Model
from django.http import HttpRequest
from django.utils import timezone

from notifier.values.zones import zone
from tenants.admin.roles import is_platform_operator, roles_of, tenant_id_of
from tenants.models import Tenant

UTC = zoneinfo.ZoneInfo("UTC")


def zone_of_page(request: HttpRequest) -> zoneinfo.ZoneInfo:
    """The zone of a page that is about no single row."""
    chosen = request.GET.get("of", "")
    tenants = {str(tenant_id): tenant_id for tenant_id in roles_of(request)}
    if len(tenants) == 1 and not is_platform_operator(request):
        return zone_of_tenant(next(iter(tenants.values())))
    if chosen in tenants or (is_platform_operator(request) and _is_uuid(chosen)):
        return zone_of_tenant(chosen)
    return UTC


def zone_of_tenant(tenant_id: Any) -> zoneinfo.ZoneInfo:
    name = Tenant.objects.filter(pk=tenant_id).values_list("timezone", flat=True).first()
    return zone(name or "UTC")


def activate_zone_of(row: Model | None) -> None:
    """Use the zone of the row's tenant for the rest of the request. The site restores the zone afterwards."""
    tenant = tenant_id_of(row) if row is not None else None
    if tenant is None:
        return
    loaded = row._state.fields_cache.get("tenant") if row is not None else None
    timezone.activate(zone(loaded.timezone or "UTC") if loaded is not None else zone_of_tenant(tenant))


def time_of_day(moment: datetime) -> str:
    """The time of day with its zone, for sentences."""
    return f"{timezone.localtime(moment):%H:%M:%S %Z}"


class ZonedDateTime(AdminSplitDateTime):
    """Django's two inputs, with the name of their time zone beside them."""

    template_name = "tenants/zoned_datetime.html"

    class Media:
        css = {"all": ["tenants/zoned.css"]}

    def get_context(self, name: str, value: Any, attrs: Any) -> Any:
        context = super().get_context(name, value, attrs)
        context["zone"] = timezone.get_current_timezone_name()
        return context


def _is_uuid(text: str) -> bool:
    return len(text) == 36 and all(c in "0123456789abcdef-" for c in text)
