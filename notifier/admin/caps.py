"""Frequency caps: the list and the form."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from notifier.channels import channels
from notifier.models import FrequencyCap
from tenants.admin import TenantForm, TenantModelAdmin, admin_site
from tenants.admin.base.filters import ChannelFilter


class FrequencyCapForm(TenantForm):
    channel = forms.ChoiceField(
        required=False,
        choices=lambda: [("", "all channels together"), *((name, name) for name in sorted(channels()))],
        help_text=FrequencyCap._meta.get_field("channel").help_text,
    )

    class Meta:
        model = FrequencyCap
        fields = ("tenant", "category", "channel", "most", "period")

    def clean(self) -> dict[str, Any] | None:
        values = super().clean() or {}
        category = values.get("category")
        if category is not None and category.archived:
            self.add_error("category", "The category is archived: nothing new may use it. Choose another.")
        return values


@admin.register(FrequencyCap, site=admin_site)
class FrequencyCapAdmin(TenantModelAdmin):
    group = "Settings"
    icon = "speed"
    rank = 22
    form = FrequencyCapForm
    list_display = ("__str__", "category", "channel", "most", "period", "changed_at")
    list_filter = (ChannelFilter, "period")
    list_select_related = ("tenant", "category")
    ordering = ("-id",)
    fields = ("tenant", "category", "channel", "most", "period")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        # the places of the present windows were counted by these
        read_only = super().get_readonly_fields(request, obj)
        return (*read_only, "category", "channel", "period") if obj is not None else read_only
