"""Incidents of tenants' status pages."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin

from notifier.channels.names import check_channel_names
from notifier.errors import InvalidInput
from notifier.models import Incident
from tenants.admin import TenantForm, TenantModelAdmin, admin_site
from tenants.models import Member


class IncidentForm(TenantForm):
    class Meta:
        model = Incident
        fields = ("tenant", "title", "text", "channels", "stage", "began_at", "ended_at")

    def clean_channels(self) -> list[str]:
        try:
            return check_channel_names(self.cleaned_data["channels"], "channels") or []
        except InvalidInput as error:
            raise forms.ValidationError(error.message) from error

    def clean(self) -> dict[str, Any] | None:
        values = super().clean() or {}
        began, ended = values.get("began_at"), values.get("ended_at")
        if began and ended and ended < began:
            self.add_error("ended_at", "The end is before the beginning.")
        return values


@admin.register(Incident, site=admin_site)
class IncidentAdmin(TenantModelAdmin):
    """Operators of a tenant write them, too: whoever handles a disturbance tells of it."""

    group = "Operations"
    icon = "report"
    rank = 30
    form = IncidentForm
    edited_by = frozenset({Member.Role.OWNER.value, Member.Role.OPERATOR.value})
    list_display = ("title", "stage", "began_at", "ended_at", "changed_at")
    list_filter = ("stage",)
    list_select_related = ("tenant",)
    search_fields = ("title",)
    ordering = ("-began_at",)
    fields = ("tenant", "title", "text", "channels", "stage", "began_at", "ended_at")
