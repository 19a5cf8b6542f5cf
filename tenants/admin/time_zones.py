"""Times in the admin are the tenant's: read, written and shown in its zone, with the zone beside them.

A list shows the zone of the tenant it is about; a row's own page, the zone of the row's tenant. Who looks at several
tenants at once, as operators do, sees UTC.
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
from tenants.admin.roles import is_operator, roles_of, tenant_id_of
from tenants.models import Tenant

UTC = zoneinfo.ZoneInfo("UTC")


def zone_of_page(request: HttpRequest) -> zoneinfo.ZoneInfo:
    """The zone of a page that is about no single row."""
    asked = request.GET.get("of", "")
    mine = {str(tenant): tenant for tenant in roles_of(request)}
    if len(mine) == 1 and not is_operator(request):
        return zone_of_tenant(next(iter(mine.values())))
    if asked in mine or (is_operator(request) and _is_uuid(asked)):
        return zone_of_tenant(asked)
    return UTC


def zone_of_tenant(tenant: Any) -> zoneinfo.ZoneInfo:
    """The tenant's zone, by its id."""
    name = Tenant.objects.filter(pk=tenant).values_list("timezone", flat=True).first()
    return zone(name or "UTC")


def activate_zone_of(row: Model | None) -> None:
    """For the rest of the request: the page is about this row. The site puts it back afterwards."""
    tenant = tenant_id_of(row) if row is not None else None
    if tenant is not None:
        timezone.activate(zone_of_tenant(tenant))


def time_of_day(moment: datetime) -> str:
    """The time of day with its zone, for sentences."""
    return f"{timezone.localtime(moment):%H:%M:%S %Z}"


class ZonedDateTime(AdminSplitDateTime):
    """Django's two inputs, with the zone in which they are read beside them."""

    template_name = "tenants/zoned_datetime.html"

    class Media:
        css = {"all": ["tenants/zoned.css"]}

    def get_context(self, name: str, value: Any, attrs: Any) -> Any:
        found = super().get_context(name, value, attrs)
        found["zone"] = timezone.get_current_timezone_name()
        return found


def _is_uuid(text: str) -> bool:
    return len(text) == 36 and all(c in "0123456789abcdef-" for c in text)
