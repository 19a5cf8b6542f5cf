"""Base classes of the pages about tenant-owned rows: who may see and edit them, which choices a form offers, what is
audited."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.db.models import DateTimeField, JSONField, Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import urlencode

from tenants.admin.audit_entries import changed_fields, plain_changes, record_change
from tenants.admin.base import deletion
from tenants.admin.base.filters import TenantFilter
from tenants.admin.base.forms import TenantForm, TenantFormSet
from tenants.admin.base.hardening import HardenedAdmin, HardenedAutocomplete
from tenants.admin.base.json_field import JsonField
from tenants.admin.base.paging import BoundedPaginator
from tenants.admin.base.visibility import has_tenant, sees_several_tenants, visible_rows, visible_users
from tenants.admin.localization.time_zones import ZonedDateTime, activate_zone_of
from tenants.admin.person_reads import record_read_of_row
from tenants.admin.roles import ALL_ROLES, AUTHORS, NO_ROLE, editable_tenants, may
from tenants.models import Tenant, User

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Any]
    _TabularInline = admin.TabularInline[Any, Any]
    _OptionsAdmin = admin.options.BaseModelAdmin[Any]
else:
    from unfold.admin import ModelAdmin as _ModelAdmin
    from unfold.admin import TabularInline as _TabularInline

    _OptionsAdmin = object


class RoleBasedAdmin(_OptionsAdmin):
    """Rights by the user's role in the row's tenant, and choices limited to the user's tenants."""

    viewed_by: ClassVar[frozenset[str]] = ALL_ROLES
    edited_by: ClassVar[frozenset[str]] = AUTHORS
    can_add: ClassVar[bool] = True
    can_delete_rows: ClassVar[bool] = True

    def has_module_permission(self, request: HttpRequest) -> bool:
        return may(request, self.viewed_by)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return may(request, self.viewed_by, obj)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return may(request, self.edited_by, obj)

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self.can_add and may(request, self.edited_by, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self.can_delete_rows and may(request, self.edited_by, obj)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """The rows of the user's tenants. Row-level security limits them too: a leak would need a bug in both."""
        return visible_rows(super().get_queryset(request), request)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if isinstance(db_field, DateTimeField) and "widget" not in kwargs:
            kwargs |= {"form_class": forms.SplitDateTimeField, "widget": ZonedDateTime}
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if "queryset" not in kwargs and (choices := self._choices(db_field, request)) is not None:
            kwargs["queryset"] = choices
        if db_field.name in self.get_autocomplete_fields(request):
            kwargs.setdefault("widget", HardenedAutocomplete(db_field, self.admin_site))
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        if field is not None and db_field.name == "tenant" and has_one_choice(field.queryset):
            field.widget = forms.HiddenInput()
        return field

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if "queryset" not in kwargs and (choices := self._choices(db_field, request)) is not None:
            kwargs["queryset"] = choices
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def _choices(self, db_field: Any, request: HttpRequest) -> QuerySet[Any] | None:
        target = db_field.remote_field.model
        if target is Tenant:
            return editable_tenants(request, self.edited_by)  # type: ignore[no-any-return]
        if target is User:
            return visible_users(request)
        return visible_rows(target._default_manager.all(), request) if has_tenant(target) else None


class TenantModelAdmin(RoleBasedAdmin, HardenedAdmin, _ModelAdmin):
    """A page about a tenant-owned model. Subclasses say where it stands in the menu (see `navigation`), set lists and
    forms."""

    formfield_overrides: ClassVar[dict[Any, Any]] = {JSONField: {"form_class": JsonField}}
    group: ClassVar[str] = "Settings"
    rank: ClassVar[int] = 50
    in_navigation: ClassVar[bool] = True
    #: a name of Google's Material Symbols
    icon: ClassVar[str] = "list_alt"
    #: rows of these models are deleted together with a row of this page; other references forbid deleting it
    deleted_together: ClassVar[tuple[type[Model], ...]] = ()
    #: the functions that change such rows also write the audit entries, so that pages must not write second ones
    audited_by_domain: ClassVar[bool] = False
    #: whether audit entries hold the values of plain fields, before and after; False for pages about people
    audits_values: ClassVar[bool] = True
    #: a sentence that says what to do instead of deleting a row that is in use
    instead_of_deleting: ClassVar[str] = ""
    form = TenantForm
    paginator = BoundedPaginator
    show_full_result_count = False
    list_per_page = 50
    list_select_related: ClassVar[Any] = ("tenant",)

    def get_list_display(self, request: HttpRequest) -> Any:
        """With the tenant for users who see several tenants."""
        columns = list(super().get_list_display(request))
        return [*columns, "tenant"] if has_tenant(self.model) and sees_several_tenants(request) else columns

    def get_list_filter(self, request: HttpRequest) -> Any:
        filters = list(super().get_list_filter(request))
        return [TenantFilter, *filters] if has_tenant(self.model) and sees_several_tenants(request) else filters

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        """A row never changes its tenant."""
        fixed = tuple(super().get_readonly_fields(request, obj))
        return (*fixed, "tenant") if obj is not None and has_tenant(self.model) and "tenant" not in fixed else fixed

    def get_changeform_initial_data(self, request: HttpRequest) -> Any:
        initial = dict(super().get_changeform_initial_data(request))
        tenants = list(editable_tenants(request, self.edited_by)[:2])
        if has_tenant(self.model) and len(tenants) == 1:
            initial.setdefault("tenant", tenants[0].pk)
        return initial

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """The row of a page. From here on the request uses the time zone of the row's tenant."""
        row = super().get_object(request, object_id, from_field)
        activate_zone_of(row)
        return row

    def render_change_form(
        self,
        request: HttpRequest,
        context: Any,
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Model | None = None,
    ) -> Any:
        """The page of a row; that of a person, or of a message to a person, leaves an audit entry."""
        if obj is not None and not add:
            record_read_of_row(request, obj)
        return super().render_change_form(request, context, add, change, form_url, obj)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Refuses to delete rows that other rows refer to; see `deletion`."""
        rows = list(objs)
        lacking = {str(self.opts.verbose_name) for row in rows if not self.has_delete_permission(request, row)}
        uses = deletion.find_uses(self.model, [row.pk for row in rows], self.deleted_together)
        reasons = [f"In use by {', '.join(uses)}.", self.instead_of_deleting] if uses else []
        return (
            [str(row) for row in rows],
            {self.opts.verbose_name_plural: len(rows)},
            lacking,
            list(filter(None, reasons)),
        )

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        """Django's message; what changed from what to what is kept for `log_change`, which follows."""
        if self.audits_values and not add:
            request.__dict__["notifier_changes"] = plain_changes(form)
        return super().construct_change_message(request, form, formsets, add)

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        if self.audited_by_domain or record_change(request, obj, "added"):
            return None
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        if self.audited_by_domain:
            return None
        changes = request.__dict__.pop("notifier_changes", None)
        detail = {"changes": changes} if changes else {}
        if record_change(request, obj, "changed", fields=changed_fields(message), **detail):
            return None
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        if not self.audited_by_domain:
            for row in queryset:
                record_change(request, row, "deleted")
        return []

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """The audit log's entries about the object."""
        query = urlencode({"object_id": unquote(object_id)[:64]})
        return HttpResponseRedirect(f"{reverse('admin:tenants_auditlog_changelist')}?{query}")


class ReadOnly:
    """Makes a page read-only; comes before the page's base class."""

    edited_by = NO_ROLE
    can_add = False
    can_delete_rows = False
    actions: Any = None


class ReadOnlyAdmin(ReadOnly, TenantModelAdmin):
    """A read-only page."""


class TenantTabularInline(RoleBasedAdmin, _TabularInline):
    """Rows of a parent row, on the parent's page."""

    form = TenantForm
    formset = TenantFormSet
    exclude = ("tenant",)
    extra = 0


def has_one_choice(choices: QuerySet[Any] | None) -> bool:
    return choices is not None and len(choices[:2]) == 1
