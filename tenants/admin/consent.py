"""Pages about categories and about noes: suppressed addresses, and every change of consent."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from notifier.channels import channels
from tenants.admin.base import ChannelFilter, ReadOnlyAdmin, TenantModelAdmin, masked
from tenants.admin.forms import TenantForm
from tenants.admin.site import admin_site
from tenants.models import Category, ConsentChange, Suppression


@admin.register(Category, site=admin_site)
class CategoryAdmin(TenantModelAdmin):
    group = "Content"
    rank = 20
    list_display = ("key", "name", "kind")
    list_filter = ("kind",)
    search_fields = ("key", "name")
    ordering = ("key",)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        # recipients' choices name the key
        return ("tenant", "key") if obj is not None else ()


class SuppressionForm(TenantForm):
    channel = forms.ChoiceField(choices=lambda: [(name, name) for name in sorted(channels())])

    class Meta:
        model = Suppression
        fields = ("tenant", "channel", "address", "cause")


@admin.register(Suppression, site=admin_site)
class SuppressionAdmin(TenantModelAdmin):
    group = "People"
    rank = 30
    form = SuppressionForm
    list_display = ("masked_address", "channel", "cause", "created_at")
    list_filter = (ChannelFilter, "cause")
    search_fields = ("=address",)
    search_help_text = "The whole address."
    ordering = ("-id",)

    @admin.display(description="address")
    def masked_address(self, row: Suppression) -> str:
        return masked(row.address)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return ("tenant", "channel", "address", "cause")
        return ("tenant", "channel", "masked_address", "cause", "created_at")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Deleting the row allows the address again; there is nothing to change in it."""
        return False


@admin.register(ConsentChange, site=admin_site)
class ConsentChangeAdmin(ReadOnlyAdmin):
    group = "People"
    rank = 60
    list_display = ("at", "what", "recipient_id", "channel", "masked_address")
    list_filter = (ChannelFilter,)
    search_fields = ("=address", "=recipient_id")
    search_help_text = "The whole address, or the recipient's id."
    ordering = ("-id",)
    fields = ("tenant", "recipient_id", "channel", "masked_address", "what", "at")

    @admin.display(description="address")
    def masked_address(self, row: ConsentChange) -> str:
        return masked(row.address)
