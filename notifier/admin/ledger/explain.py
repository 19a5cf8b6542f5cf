"""The page "Why did this person not get it?" of a recipient: what became of the newest messages, and a dry run.

The recipient's page links to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from notifier.channels import channels
from notifier.delivery import explain
from notifier.errors import NotifierError
from notifier.models import Delivery, Notification, Template
from notifier.vocabulary.people import SendRequest
from notifier.vocabulary.status import Status
from tenants.admin.base.visibility import visible_rows
from tenants.admin.localization.time_zones import activate_zone_of
from tenants.admin.person_reads import record_read
from tenants.models import Category, Recipient

if TYPE_CHECKING:
    from tenants.admin import TenantModelAdmin as _Page
else:
    _Page = object

NAME = "notifier_notification_why"
#: notifications whose messages the page shows
NEWEST = 20
#: templates and categories that the form offers
MOST_CHOICES = 1_000


class DryRunForm(forms.Form):
    """Which message the page explains. The choices are those of the recipient's tenant."""

    template = forms.ChoiceField()
    channel = forms.ChoiceField(required=False)
    category = forms.ChoiceField(required=False, help_text=_("In place of the template's own."))

    def __init__(self, recipient: Recipient, *args: Any) -> None:
        super().__init__(*args)
        owned = {"tenant_id": recipient.tenant_id}
        templates = Template.objects.filter(**owned).order_by("key").values_list("key", flat=True)[:MOST_CHOICES]
        categories = Category.objects.filter(**owned).order_by("key").values_list("key", flat=True)[:MOST_CHOICES]
        self.fields["template"] = forms.ChoiceField(choices=[(key, key) for key in templates])
        self.fields["channel"] = _optional("all of the template", sorted(channels()))
        self.fields["category"] = _optional("the template's own", categories)


def _optional(empty: str, names: Sequence[str] | Any) -> forms.ChoiceField:
    return forms.ChoiceField(choices=[("", empty), *((name, name) for name in names)], required=False)


class SentLine(NamedTuple):
    """One message of the list."""

    template: str
    channel: str
    decided: str
    status: str
    reason: str
    at: datetime


class ExplainPage(_Page):
    """Mixin of NotificationAdmin."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_safe(self.why_view))
        return [path("why/<uuid:recipient_id>/", view, name=NAME), *super().get_urls()]

    def why_view(self, request: HttpRequest, recipient_id: Any) -> HttpResponse:
        rows = visible_rows(Recipient.objects.select_related("tenant"), request)
        recipient: Recipient = get_object_or_404(rows, pk=recipient_id)
        activate_zone_of(recipient)
        record_read(request, recipient.tenant_id, recipient.pk, "why")
        form = DryRunForm(recipient, request.GET if "template" in request.GET else None)
        explanation, error = None, ""
        if form.is_bound and form.is_valid():
            try:
                explanation = explain.explain_request(
                    recipient.tenant, _dry_run(recipient, form.cleaned_data), datetime.now(UTC)
                )
            except NotifierError as refused:
                error = refused.message
        context = {
            **self.admin_site.each_context(request),
            "title": f"Why did {recipient} not get it?",
            "recipient": recipient,
            "form": form,
            "explanation": explanation,
            "error": error,
            "sent": newest_messages(recipient),
        }
        return TemplateResponse(request, "admin/notifier/why.html", context)


def _dry_run(recipient: Recipient, values: dict[str, str]) -> SendRequest:
    names = (values["channel"],) if values["channel"] else None
    return SendRequest(recipient.external_id, values["template"], values["category"], names)


def newest_messages(recipient: Recipient) -> list[SentLine]:
    """The messages of the recipient's newest notifications."""
    rows = Notification.objects.filter(recipient=recipient).select_related("version__template")
    notifications = {row.pk: row for row in rows.order_by("-id")[:NEWEST]}
    deliveries = Delivery.objects.filter(notification_id__in=list(notifications)).order_by("-id")
    return [_line(notifications[row.notification_id], row) for row in deliveries if row.notification_id is not None]


def _line(notification: Notification, row: Delivery) -> SentLine:
    return SentLine(
        notification.version.template.key,
        row.channel,
        explain.describe_decision(row, notification.send_at),
        Status(row.status).label,
        row.reason,
        row.accepted_at,
    )
