"""How categories gather their messages, and the digests that are open or closed."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from notifier.admin.ledger.lists import SearchByIdAdmin
from notifier.delivery.digests.settings import check_setting, delete_setting
from notifier.errors import NotifierError
from notifier.models import Digest, DigestSetting
from tenants.admin import TenantForm, TenantModelAdmin, admin_site


class DigestSettingForm(TenantForm):
    class Meta:
        model = DigestSetting
        fields = ("tenant", "category", "template", "window", "max_window", "schedule", "max_items", "channels")

    def clean(self) -> dict[str, Any] | None:
        values = super().clean() or {}
        if not self.errors:
            try:
                check_setting(DigestSetting(**{name: value for name, value in values.items() if name != "tenant"}))
            except NotifierError as error:
                self.add_error(error.field if error.field in self.fields else None, error.message)
        return values


@admin.register(DigestSetting, site=admin_site)
class DigestSettingAdmin(TenantModelAdmin):
    group = "Settings"
    icon = "stacks"
    rank = 25
    form = DigestSettingForm
    list_display = ("category", "template", "window", "max_window", "schedule", "max_items")
    list_select_related = ("tenant", "category", "template")
    ordering = ("id",)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("tenant", "category") if obj is not None else ()

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        try:
            return super().delete_view(request, object_id, extra_context)
        except NotifierError as error:
            messages.error(request, error.message)
            return HttpResponseRedirect(request.path)

    def delete_model(self, request: HttpRequest, obj: DigestSetting) -> None:
        delete_setting(obj)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        for setting in queryset.order_by("pk"):
            try:
                delete_setting(setting)
            except NotifierError as error:
                messages.error(request, error.message)


@admin.register(Digest, site=admin_site)
class DigestAdmin(SearchByIdAdmin):
    """Open digests leave by themselves; a failed one says why."""

    group = "Delivery"
    icon = "stacks"
    rank = 25
    searched_columns = ("pk", "recipient_id")
    search_help_text = "The id of the digest, or a recipient's external id."
    list_display = ("id", "recipient_id", "category", "key", "items", "closes_at", "closed_at", "failure")
    list_filter = (("closed_at", admin.EmptyFieldListFilter),)
