"""The page on which a user of the admin edits a recipient's preferences: checkboxes, quiet hours, language."""

from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from notifier.channels import channels
from notifier.vocabulary.status import Kind
from tenants.admin.audit_entries import record_change
from tenants.admin.base.forms import checked_value
from tenants.admin.pages.preference_choices import Box, Choices, boxes, store
from tenants.admin.person_reads import record_read
from tenants.admin.timeline.page import NAME as TIMELINE
from tenants.admin.timeline.page import TimelinePage
from tenants.models import Category, OptIn, Preference, Recipient
from tenants.people import fields as checks
from tenants.people.preferences import lock_preferences

NAME = "recipient_preferences"
TEMPLATE = "admin/tenants/recipient/preferences.html"
#: categories that the page shows
MOST = 200


class PreferencesForm(forms.ModelForm):  # type: ignore[type-arg]
    """What is not a checkbox of the table."""

    snoozed_until = forms.DateTimeField(
        required=False,
        label=gettext_lazy("Marketing waits until"),
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )

    class Meta:
        model = Preference
        fields = ("everything_off", "quiet_from", "quiet_until", "snoozed_until", "language")
        widgets = {name: forms.TimeInput(attrs={"type": "time"}) for name in ("quiet_from", "quiet_until")}

    def clean_language(self) -> str:
        return checked_value(self, "language", checks.locale)


class PreferencesPage(TimelinePage):
    """Mixin of RecipientAdmin."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_http_methods(["GET", "HEAD", "POST"])(self.preferences_view))
        return [path("<uuid:pk>/preferences/", view, name=NAME), *super().get_urls()]

    def preferences_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        recipient = self.find_recipient(request, pk)
        if not self.has_change_permission(request, recipient):
            raise PermissionDenied
        record_read(request, recipient.tenant_id, recipient.pk, "preferences")
        with transaction.atomic():
            if request.method == "POST":
                preference = lock_preferences(recipient.tenant_id, recipient.pk)
            else:
                preference = Preference.objects.filter(recipient=recipient).first() or Preference()
            form = PreferencesForm(request.POST if request.method == "POST" else None, instance=preference)
            if form.is_bound and form.is_valid():
                _store(request, recipient, form.instance)
                record_change(request, recipient, "preferences_changed", fields=sorted(form.changed_data))
                messages.success(request, _("The preferences are stored."))
                return HttpResponseRedirect(reverse(f"admin:{TIMELINE}", args=[recipient.pk]))
        context: dict[str, Any] = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": recipient.name or recipient.external_id,
            "recipient": recipient,
            "form": form,
            "channels": [(name, name not in preference.channels_off) for name in sorted(channels())],
            "rows": [(category, shown) for category, shown, _asks in _table(recipient, preference)],
        }
        return TemplateResponse(request, TEMPLATE, context)


def _table(recipient: Recipient, preference: Preference) -> list[tuple[Category, list[Box], bool]]:
    """Categories with their boxes, and whether each asks for an opt-in. Critical messages ignore preferences."""
    rows = Category.objects.filter(tenant_id=recipient.tenant_id, archived_at=None).exclude(kind=Kind.CRITICAL)
    categories = list(rows.order_by("key")[:MOST])
    stored, names = Choices(preference.categories_off, preference.categories_on), sorted(channels())
    asking = [(row, _asks_opt_in(row, recipient.tenant.opt_in)) for row in categories]
    return [(row, boxes(row.key, asks, names, stored), asks) for row, asks in asking]


def _asks_opt_in(category: Category, of_tenant: str) -> bool:
    """The category's own setting; else the tenant's, which is for marketing only."""
    inherited = of_tenant if category.kind == Kind.MARKETING else OptIn.OFF
    return (category.opt_in or inherited) not in ("", OptIn.OFF)


def _store(request: HttpRequest, recipient: Recipient, preference: Preference) -> None:
    """Only boxes that the page had count: a category that another user has added meanwhile is left alone."""
    shown, ticked = set(request.POST.getlist("shown")), set(request.POST.getlist("gets"))
    for category, listed, asks in _table(recipient, preference):
        seen = [box for box in listed if box.value in shown]
        choices = Choices(preference.categories_off, preference.categories_on)
        changed = store(category.key, asks, seen, ticked, choices)
        preference.categories_off, preference.categories_on = list(changed.off), list(changed.on)
    on = set(request.POST.getlist("channel"))
    hidden = [name for name in preference.channels_off if name not in channels()]
    preference.channels_off = [*hidden, *(name for name in sorted(channels()) if name in shown and name not in on)]
    preference.save()
