"""Pages about categories, suppressed addresses, and changes of consent."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from notifier.channels import channel, channels
from notifier.channels.names import check_channel_names
from notifier.errors import NotifierError
from notifier.values.trim import trimmed
from notifier.vocabulary.ids import parse_id
from notifier.vocabulary.status import Kind
from tenants import categories
from tenants.admin.audit_entries import record_change
from tenants.admin.base.filters import ChannelFilter
from tenants.admin.base.forms import TenantForm
from tenants.admin.base.model_admin import TenantModelAdmin
from tenants.admin.base.visibility import masked
from tenants.admin.lists.large_tables import LargeTableAdmin, ReadOnlyLargeTableAdmin
from tenants.admin.pages.people import recipient_ids
from tenants.admin.roles import AUTHORS, may
from tenants.admin.site import admin_site
from tenants.models import Category, ConsentChange, OptIn, OptInProof, Recipient, Suppression
from tenants.people.platforms import stored_spelling


class CategoryForm(TenantForm):
    class Meta:
        model = Category
        fields = ("tenant", "key", "name", "description", "kind", "opt_in", "preferred_channels", "over_cap")

    def clean_preferred_channels(self) -> list[str]:
        try:
            return check_channel_names(self.cleaned_data["preferred_channels"] or [], "preferred_channels")
        except NotifierError as error:
            raise forms.ValidationError(error.message) from error

    def clean(self) -> dict[str, Any] | None:
        values = super().clean() or {}
        if "over_cap" in values:
            self._check_over_cap(values["over_cap"])
        if values.get("kind") == Kind.CRITICAL and values.get("opt_in") not in ("", None, OptIn.OFF):
            self.add_error("opt_in", categories.NO_OPT_IN)
        if self.errors or "kind" not in values:
            return values
        stored = None if self.instance._state.adding else Category.objects.filter(pk=self.instance.pk).first()
        category = stored or Category(tenant_id=values["tenant"].pk, key=values["key"])
        try:
            categories.check_kind(category, values["kind"])
        except NotifierError as error:
            self.add_error("kind", error.message)
        return values

    def _check_over_cap(self, over_cap: str) -> None:
        chosen = Category(pk=self.instance.pk, key=self.instance.key, over_cap=over_cap)
        try:
            categories.check_with_packages_above(chosen)
        except NotifierError as error:
            self.add_error("over_cap", error.message)


@admin.register(Category, site=admin_site)
class CategoryAdmin(TenantModelAdmin):
    group = "Settings"
    icon = "category"
    rank = 20
    form = CategoryForm
    list_display = ("key", "name", "kind", "opt_in", "archived_at")
    list_filter = ("kind", ("archived_at", admin.EmptyFieldListFilter))
    search_fields = ("key", "name")
    ordering = ("key",)
    actions = ("archive", "restore")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return (*CategoryForm.Meta.fields, *(("archived_at",) if obj is not None else ()))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        # recipients' opt-outs name the key
        return ("tenant", "key", "archived_at") if obj is not None else ()

    # -- archiving ---------------------------------------------------------------------------------------------------

    def has_archive_permission(self, request: HttpRequest) -> bool:
        return may(request, AUTHORS)

    @admin.action(description=_("Archive: nothing new may use them, opt-outs stay in force"), permissions=["archive"])
    def archive(self, request: HttpRequest, queryset: Any) -> None:
        self._set_archived(request, queryset.filter(archived_at=None), True, "archived")

    @admin.action(description=_("Restore"), permissions=["archive"])
    def restore(self, request: HttpRequest, queryset: Any) -> None:
        self._set_archived(request, queryset.exclude(archived_at=None), False, "restored")

    def _set_archived(self, request: HttpRequest, queryset: Any, archived: bool, verb: str) -> None:
        chosen = [category for category in queryset if may(request, AUTHORS, category)]
        for category in chosen:
            categories.change(category, {"archived": archived})
            record_change(request, category, verb)
        messages.success(request, f"{len(chosen)} {verb}.")

    # -- deleting ----------------------------------------------------------------------------------------------------

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Refuses to delete categories that are in use, on the page and in the list's action."""
        chosen = list(objs)
        lacking = {"category" for category in chosen if not self.has_delete_permission(request, category)}
        uses = [f"{category}: {use.description}" for category in chosen for use in categories.find_uses(category)]
        if uses:
            messages.error(request, f"In use by {', '.join(uses)}. Archive the category instead.")
        return [str(category) for category in chosen], {"categories": len(chosen)}, lacking, uses

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        return _redirect_on_error(
            request, lambda: super(CategoryAdmin, self).delete_view(request, object_id, extra_context)
        )

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        return _redirect_on_error(request, lambda: super(CategoryAdmin, self).changelist_view(request, extra_context))

    def delete_model(self, request: HttpRequest, obj: Category) -> None:
        categories.delete(obj)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        for category in queryset.order_by("pk"):
            categories.delete(category)


def _redirect_on_error(request: HttpRequest, view: Callable[[], HttpResponse]) -> HttpResponse:
    """The view's response, or a redirect to the list with a message when a row began to use the category meanwhile."""
    try:
        with transaction.atomic():
            return view()
    except NotifierError as error:
        messages.error(request, error.message)
        return HttpResponseRedirect(reverse("admin:tenants_category_changelist"))


class SuppressionForm(TenantForm):
    channel = forms.ChoiceField(choices=lambda: [(name, name) for name in sorted(channels())])

    class Meta:
        model = Suppression
        fields = ("tenant", "channel", "address", "cause")

    def clean(self) -> dict[str, Any] | None:
        values = super().clean() or {}
        if not self.errors:
            recipients = Recipient.objects.filter(tenant=values["tenant"])
            try:
                kind = channel(values["channel"])
                address = kind.check_address(
                    trimmed(values["address"]), lambda external_id: recipients.filter(external_id=external_id).exists()
                )
                values["address"] = stored_spelling(address) if kind.of_devices else address
            except NotifierError as error:
                self.add_error("address", error.message)
        return values


def _spellings(term: str) -> set[str]:
    """The address that a person typed, as each channel stores it."""
    return {kind.stored_spelling(term) for kind in channels().values()}


@admin.register(Suppression, site=admin_site)
class SuppressionAdmin(LargeTableAdmin):
    group = "People"
    icon = "block"
    rank = 30
    form = SuppressionForm
    list_display = ("masked_address", "channel", "cause", "created_at")
    list_filter = (ChannelFilter, "cause")
    search_fields = ("address",)
    search_help_text = "The whole address."

    def search_queries(self, request: HttpRequest, term: str) -> Iterable[Any]:
        return (self.rows(request).filter(channel__in=sorted(channels()), address__in=_spellings(term)),)

    @admin.display(description=_("address"))
    def masked_address(self, row: Suppression) -> str:
        return masked(row.address)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return ("tenant", "channel", "address", "cause")
        return ("tenant", "channel", "masked_address", "cause", "created_at")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A suppression cannot be changed; deleting the row allows the address again."""
        return False


@admin.register(OptInProof, site=admin_site)
class OptInProofAdmin(ReadOnlyLargeTableAdmin):
    group = "People"
    icon = "verified"
    in_navigation = False
    rank = 58
    list_display = ("category", "recipient_id", "asked_at", "confirmed_at")
    search_help_text = "The recipient's id or external id."
    fields = (
        "tenant", "recipient_id", "category", "entries", "asked_at", "asked_by", "asked_from", "asked_with", "language",
        "text", "text_sha256", "notification_id", "confirmed_at", "confirmed_from", "confirmed_with",
    )  # fmt: skip

    def search_queries(self, request: HttpRequest, term: str) -> Iterable[Any]:
        recipient_id = parse_id(term)
        ids = [recipient_id] if recipient_id else recipient_ids(request, term)
        return (self.rows(request).filter(recipient_id__in=ids),)


@admin.register(ConsentChange, site=admin_site)
class ConsentChangeAdmin(ReadOnlyLargeTableAdmin):
    group = "People"
    icon = "fact_check"
    rank = 60
    list_display = ("at", "changed", "source", "recipient_id", "channel", "masked_address")
    list_filter = (ChannelFilter,)
    search_fields = ("address",)
    search_help_text = "The whole address, or the recipient's id or external id."
    fields = ("tenant", "recipient_id", "channel", "masked_address", "changed", "detail", "source", "at")

    def search_queries(self, request: HttpRequest, term: str) -> Iterable[Any]:
        rows = self.rows(request)
        recipient_id = parse_id(term)
        ids = [recipient_id] if recipient_id else recipient_ids(request, term)
        return rows.filter(address__in=_spellings(term)), rows.filter(recipient_id__in=ids)

    @admin.display(description=_("address"))
    def masked_address(self, row: ConsentChange) -> str:
        return masked(row.address)
