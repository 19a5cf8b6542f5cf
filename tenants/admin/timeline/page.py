"""The page of a person: the timeline with its filters, the facts beside it, and the buttons that suppress an address or
allow it again."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from notifier.channels import channels
from notifier.values.zones import zone
from notifier.vocabulary.ids import parse_id
from tenants.admin.audit_entries import record_change
from tenants.admin.base.visibility import visible_rows
from tenants.admin.person_reads import record_read
from tenants.admin.roles import AUTHORS, may
from tenants.admin.timeline.entries import PAGE, Window, kinds, parse_key, read_entries
from tenants.admin.timeline.facts import read_facts
from tenants.models import Recipient, Suppression

if TYPE_CHECKING:
    from tenants.admin.base.model_admin import TenantModelAdmin as _Page
else:
    _Page = object

NAME = "tenants_recipient_timeline"
TEMPLATE = "admin/tenants/recipient/timeline.html"
#: causes that a user of the admin may choose; the others are for reports of providers and for erasures
CAUSES = (
    Suppression.Cause.MANUAL,
    Suppression.Cause.UNSUBSCRIBE,
    Suppression.Cause.COMPLAINT,
    Suppression.Cause.BOUNCE,
)


class TimelinePage(_Page):
    """Mixin of RecipientAdmin."""

    def get_urls(self) -> list[URLPattern]:
        site = self.admin_site
        return [
            path("<uuid:pk>/timeline/", site.admin_view(require_safe(self.timeline_view)), name=NAME),
            path("<uuid:pk>/suppress/", site.admin_view(require_POST(self.suppress_view)), name="recipient_suppress"),
            *super().get_urls(),
        ]

    def find_recipient(self, request: HttpRequest, pk: uuid.UUID) -> Recipient:
        """The recipient, with tenant and preference; from here on the request uses the tenant's time zone."""
        rows = visible_rows(Recipient.objects.select_related("tenant", "preference"), request)
        recipient: Recipient = get_object_or_404(rows, pk=pk)
        if not self.has_view_permission(request, recipient):
            raise PermissionDenied
        timezone.activate(zone(recipient.tenant.timezone or "UTC"))
        return recipient

    def timeline_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        recipient = self.find_recipient(request, pk)
        record_read(request, recipient.tenant_id, recipient.pk, "timeline")
        chosen = {name: request.GET.get(name, "") for name in ("kind", "channel", "message")}
        before = parse_key(request.GET.get("before", ""))
        channel = chosen["channel"] if chosen["channel"] in channels() else ""
        kind = chosen["kind"] if chosen["kind"] in kinds() else ""
        window = Window(recipient, before, PAGE + 1, channel, parse_id(chosen["message"]))
        entries, further = read_entries(window, kind)
        may_edit = self.has_change_permission(request, recipient)
        context: dict[str, Any] = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": recipient.name or recipient.external_id,
            "recipient": recipient,
            "zone_of_recipient": _other_zone(recipient),
            "entries": entries,
            "further": _address(further.as_text(), kind, channel) if further else "",
            "is_first": before is None,
            "kinds": kinds(),
            "channels": sorted(channels()),
            "kind": kind,
            "channel": channel,
            "message": window.message,
            "facts": read_facts(recipient) if before is None else None,
            "causes": [(cause.value, cause.label) for cause in CAUSES],
            "may_edit": may_edit,
        }
        return TemplateResponse(request, TEMPLATE, context)

    def suppress_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        """Suppress the recipient's email or phone, or allow it again; a repeat changes nothing."""
        recipient = self.find_recipient(request, pk)
        if not may(request, AUTHORS, recipient) or not self.has_change_permission(request, recipient):
            raise PermissionDenied
        channel, cause = request.POST.get("channel", ""), request.POST.get("cause", "")
        address = {"email": recipient.email, "sms": recipient.phone}.get(channel, "")
        back = HttpResponseRedirect(reverse(f"admin:{NAME}", args=[recipient.pk]))
        if not address:
            messages.error(request, _("The recipient has no such address any more. Nothing was changed."))
            return back
        if request.POST.get("allow"):
            rows = Suppression.objects.filter(tenant_id=recipient.tenant_id, channel=channel, address=address)
            if rows.delete()[0]:
                record_change(request, recipient, "address_allowed", channel=channel)
            messages.success(request, _("The address may be used again."))
        elif cause not in CAUSES:
            messages.error(request, _("Choose a reason for suppressing the address. Nothing was changed."))
        else:
            key = {"tenant_id": recipient.tenant_id, "channel": channel, "address": address}
            if Suppression.objects.get_or_create(**key, defaults={"cause": cause})[1]:
                record_change(request, recipient, "address_suppressed", channel=channel, cause=cause)
            messages.success(request, _("The address is suppressed: nothing is sent to it any more."))
        return back


def _other_zone(recipient: Recipient) -> Any:
    """The recipient's own zone if its clock differs by name from the viewer's; None otherwise."""
    name = recipient.device_timezone or recipient.timezone
    return zone(name) if name and name != timezone.get_current_timezone_name() else None


def _address(before: str, kind: str, channel: str) -> str:
    parts = [("before", before), ("kind", kind), ("channel", channel)]
    return "?" + "&".join(f"{name}={value}" for name, value in parts if value)
