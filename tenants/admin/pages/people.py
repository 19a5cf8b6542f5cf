"""Pages about a tenant's recipients, their devices and their preferences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy

from notifier.channels import channels
from notifier.errors import InvalidInput
from notifier.values.json_document import check_document
from notifier.values.trim import trimmed
from tenants.admin.audit_entries import record_change
from tenants.admin.base.forms import TenantForm, checked_value
from tenants.admin.base.model_admin import TenantTabularInline
from tenants.admin.base.visibility import masked, visible_rows
from tenants.admin.lists.large_tables import LargeTableAdmin
from tenants.admin.lists.limits import list_limits
from tenants.admin.pages.erasure import erase
from tenants.admin.pages.preferences import PreferencesPage
from tenants.admin.roles import AUTHORS, OWNERS, may
from tenants.admin.site import admin_site
from tenants.models import Category, Device, Preference, Recipient, Tenant
from tenants.people import attributes, devices
from tenants.people import fields as checks
from tenants.people.platforms import MAX_SPELLING, platforms, spellings
from tenants.people.search import search_recipients

#: apps that the filter of devices offers
MAX_APPS = 50


class RecipientForm(TenantForm):
    class Meta:
        model = Recipient
        fields = ("tenant", "external_id", "name", "email", "phone", "locale", "timezone", "attributes", "status")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "name" in self.fields and "\n" in self.instance.name:
            # saving an input of one line would join the two words
            self.fields["name"].widget = forms.Textarea(attrs={"rows": 2, "cols": 40})
        if "status" in self.fields:
            # erasing a recipient takes more than a status
            choices = [c for c in Recipient.State.choices if c[0] != Recipient.State.ERASED]
            self.fields["status"] = forms.ChoiceField(choices=choices, initial=Recipient.State.ACTIVE)

    def clean_external_id(self) -> str:
        return checked_value(self, "external_id", checks.external_id)

    def clean_name(self) -> str:
        return checked_value(self, "name", checks.name)

    def clean_email(self) -> str:
        return checked_value(self, "email", checks.email)

    def clean_phone(self) -> str:
        return checked_value(self, "phone", checks.phone)

    def clean_locale(self) -> str:
        return checked_value(self, "locale", checks.locale)

    def clean_timezone(self) -> str:
        return checked_value(self, "timezone", checks.timezone)

    def clean_attributes(self) -> dict[str, Any]:
        value = self.cleaned_data["attributes"]
        if value in (None, ""):
            return {}
        if not isinstance(value, dict):
            raise forms.ValidationError('An object of names and values, such as {"plan": "pro"}.')
        try:
            check_document({"attributes": value})
            return attributes.check(value)
        except InvalidInput as error:
            raise forms.ValidationError(f"{error.field}: {error.message}") from error


class DeviceInline(TenantTabularInline):
    """Shows and removes devices. Devices are added on their own page, so that no token is ever rendered."""

    model = Device
    fields = readonly_fields = (
        *("platform", "masked_token", "app", "timezone", "last_seen_at", "dead_since", "dead_reason"),
    )
    can_add = False
    verbose_name_plural = gettext_lazy("Devices")

    @admin.display(description=gettext_lazy("token"))
    def masked_token(self, device: Device) -> str:
        return masked(device.token)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class PreferenceForm(TenantForm):
    channels_off = forms.MultipleChoiceField(
        choices=lambda: [(name, name) for name in sorted(channels())],
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )

    class Meta:
        model = Preference
        fields = (
            *("everything_off", "channels_off", "categories_off", "categories_on", "preferred_channels"),
            *("quiet_from", "quiet_until", "snoozed_until", "language"),
        )

    def clean_language(self) -> str:
        return checked_value(self, "language", checks.locale)

    def clean_preferred_channels(self) -> dict[str, str]:
        value = self.cleaned_data["preferred_channels"]
        if value in (None, ""):
            return {}
        if not isinstance(value, dict) or not all(isinstance(name, str) for name in value.values()):
            raise forms.ValidationError('An object of categories and channels, such as {"promotions": "email"}.')
        return value

    def clean(self) -> dict[str, Any] | None:
        """Refuse new entries with categories or channels that do not exist; stored ones stay."""
        values = super().clean() or {}
        entries = list(self._new_entries(values))
        chosen: Tenant | None = values.get("tenant")
        owner = chosen.pk if chosen else self.instance.tenant_id
        keys = {key for _, key, _ in entries}
        known = set(Category.objects.filter(tenant_id=owner, key__in=keys).values_list("key", flat=True))
        for field, key, name in entries:
            if key and key not in known:
                self.add_error(field, f"There is no category {key!r}.")
            elif name is not None and name not in channels():
                self.add_error(field, f"There is no channel {name!r}; known: {', '.join(sorted(channels()))}.")
        return values

    def _new_entries(self, values: Mapping[str, Any]) -> Iterator[tuple[str, str, str | None]]:
        """Field, category and channel (None: all) of each entry that was not stored before."""
        for field in ("categories_off", "categories_on"):
            for entry in sorted(set(values.get(field) or ()) - set(self.initial.get(field) or ())):
                key, colon, name = entry.partition(":")
                yield field, key, name if colon else None
        before = self.initial.get("preferred_channels")
        stored = before.items() if isinstance(before, dict) else ()
        for key, name in sorted((values.get("preferred_channels") or {}).items()):
            if (key, name) not in stored:
                yield "preferred_channels", key, name


def recipient_ids(request: HttpRequest, external_id: str) -> list[Any]:
    """Ids of the recipients with this external id in the user's tenants."""
    recipients = visible_rows(Recipient.objects.filter(external_id=external_id), request)
    return list(recipients.values_list("pk", flat=True)[: list_limits().search_matches])


@admin.register(Recipient, site=admin_site)
class RecipientAdmin(PreferencesPage, LargeTableAdmin):
    group = "People"
    audits_values = False
    icon = "person"
    rank = 10
    form = RecipientForm
    change_list_template = "admin/tenants/recipient/change_list.html"
    list_display = ("external_id", "name", "masked_email", "masked_phone", "locale", "timezone", "status")
    list_filter = ("status",)
    search_fields = ("external_id",)
    search_help_text = "The external id, or three letters or more of the id, name, email or phone."
    order = "external_id"
    indexed_filters = ("of", "status__exact")
    inlines = (DeviceInline,)
    deleted_together = (Device, Preference)
    instead_of_deleting = "Block or erase the person instead (actions of the list): nothing is sent to them any more."
    actions = ("block", "unblock", "erase")

    def search_queries(self, request: HttpRequest, term: str) -> Iterable[Any]:
        rows = self.rows(request)
        return rows.filter(external_id=term), rows.filter(
            pk__in=search_recipients(term, self.listed_tenant(request), list_limits().search_matches)
        )

    @admin.display(description=gettext_lazy("email"))
    def masked_email(self, recipient: Recipient) -> str:
        return masked(recipient.email)

    @admin.display(description=gettext_lazy("phone"))
    def masked_phone(self, recipient: Recipient) -> str:
        return masked(recipient.phone)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = [*RecipientForm.Meta.fields]
        if obj is not None:
            fields.insert(fields.index("timezone") + 1, "device_timezone")
        return fields

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fixed = (*super().get_readonly_fields(request, obj), "device_timezone")
        return fixed if obj is None else (*fixed, "external_id")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nothing is written to an erased person's row again."""
        erased = isinstance(obj, Recipient) and obj.status == Recipient.State.ERASED
        return not erased and super().has_change_permission(request, obj)

    def has_block_permission(self, request: HttpRequest) -> bool:
        return may(request, AUTHORS)

    @admin.action(description=gettext_lazy("Block: send nothing to them"), permissions=["block"])
    def block(self, request: HttpRequest, queryset: Any) -> None:
        self._set_status(request, queryset, Recipient.State.BLOCKED, "blocked")

    @admin.action(description=gettext_lazy("Unblock"), permissions=["block"])
    def unblock(self, request: HttpRequest, queryset: Any) -> None:
        self._set_status(request, queryset, Recipient.State.ACTIVE, "unblocked")

    def has_erase_permission(self, request: HttpRequest) -> bool:
        return may(request, OWNERS)

    @admin.action(description=gettext_lazy("Erase: remove the person for good"), permissions=["erase"])
    def erase(self, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        rows = queryset.exclude(status=Recipient.State.ERASED)
        return erase(request, [recipient for recipient in rows if may(request, OWNERS, recipient)])

    def _set_status(self, request: HttpRequest, queryset: Any, status: str, verb: str) -> None:
        rows = queryset.exclude(status__in=[status, Recipient.State.ERASED])
        recipients = [recipient for recipient in rows if may(request, AUTHORS, recipient)]
        Recipient.objects.filter(pk__in=[recipient.pk for recipient in recipients]).update(status=status)
        for recipient in recipients:
            record_change(request, recipient, verb)
        messages.success(request, f"{len(recipients)} {verb}.")


def _platform_choices() -> list[tuple[str, str]]:
    return [(name, name) for name in platforms()]


class PlatformFilter(admin.SimpleListFilter):
    """By the platforms that are known: Django's own filter would scan the table for the distinct values."""

    title: Any = gettext_lazy("platform")
    parameter_name = "platform"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return _platform_choices()

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(platform=self.value()) if self.value() else queryset


class AppFilter(admin.SimpleListFilter):
    """By the apps of the newest devices: the distinct values of the whole table would be a scan."""

    title: Any = gettext_lazy("app")
    parameter_name = "app"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        newest = visible_rows(Device.objects.all(), request).order_by("-id").values_list("app", flat=True)
        apps = sorted(set(newest[: list_limits().search_matches]) - {""})
        return [(app, app) for app in apps[:MAX_APPS]]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(app=self.value()) if self.value() else queryset


class LifeFilter(admin.SimpleListFilter):
    """Alive or dead, and of the dead ones those that no provider refused."""

    title, parameter_name = "life", "life"
    CONDITIONS: ClassVar[dict[str, dict[str, Any]]] = {
        "alive": {"dead_since__isnull": True},
        "dead": {"dead_since__isnull": False},
        "stale": {"dead_since__isnull": False, "dead_reason": "stale"},
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name in self.CONDITIONS]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(**self.CONDITIONS.get(self.value() or "", {}))


class DeviceForm(TenantForm):
    platform = forms.ChoiceField(choices=_platform_choices)
    token = forms.CharField(max_length=MAX_SPELLING, help_text=gettext_lazy("As the platform gave it to the app."))

    class Meta:
        model = Device
        fields = ("tenant", "recipient", "platform", "token", "app", "timezone")

    def clean_timezone(self) -> str:
        return checked_value(self, "timezone", checks.timezone)

    def clean_token(self) -> str:
        return trimmed(self.cleaned_data["token"])

    def clean_app(self) -> str:
        return trimmed(self.cleaned_data["app"])

    def clean(self) -> dict[str, Any] | None:
        values = super().clean() or {}
        try:
            values["token"], values["app"] = devices.check(
                values.get("platform", ""), values.get("token", ""), values.get("app", "")
            )
        except InvalidInput as error:
            self.add_error(error.field if error.field in self.fields else "token", error.message)
        recipient: Recipient | None = values.get("recipient")
        if recipient is not None and recipient.status == Recipient.State.ERASED:
            self.add_error("recipient", "This recipient was erased and gets no more messages.")
        return values

    def _get_validation_exclusions(self) -> set[str]:
        # not checked for uniqueness: a token of another recipient moves to this one, as in the API
        return {*super()._get_validation_exclusions(), "token"}


@admin.register(Device, site=admin_site)
class DeviceAdmin(LargeTableAdmin):
    group = "People"
    audits_values = False
    icon = "smartphone"
    in_navigation = False
    rank = 40
    form = DeviceForm
    list_display = ("masked_token", "recipient", "platform", "app", "last_seen_at", "dead_since", "dead_reason")
    list_filter = (PlatformFilter, AppFilter, LifeFilter)
    list_select_related = ("tenant", "recipient")
    search_fields = ("token",)
    search_help_text = "The whole token, or the recipient's external id."
    autocomplete_fields = ("recipient",)

    def search_queries(self, request: HttpRequest, term: str) -> Iterable[Any]:
        rows = self.rows(request)
        by_token = [rows.filter(platform=platform, token=token) for platform, token in spellings(term).items()]
        return *by_token, rows.filter(recipient_id__in=recipient_ids(request, term))

    @admin.display(description=gettext_lazy("token"))
    def masked_token(self, device: Device) -> str:
        return masked(device.token)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return ("tenant", "recipient", "platform", "token", "app", "timezone")
        times = ("created_at", "last_seen_at", "dead_since", "dead_reason")
        return ("tenant", "recipient", "platform", "masked_token", "app", "timezone", *times)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Device, form: Any, change: bool) -> None:
        device_id, created = devices.register(
            obj.recipient, obj.platform, obj.token, obj.app or None, obj.timezone or None
        )
        obj.pk = device_id
        obj.refresh_from_db()
        if not created:
            messages.info(request, f"The token was registered before; it belongs to {obj.recipient} now.")


@admin.register(Preference, site=admin_site)
class PreferenceAdmin(LargeTableAdmin):
    group = "People"
    audits_values = False
    icon = "toggle_on"
    in_navigation = False
    rank = 50
    form = PreferenceForm
    list_display = ("recipient", "channels_off", "categories_off", "quiet_from", "quiet_until", "updated_at")
    list_select_related = ("tenant", "recipient")
    search_fields = ("recipient",)
    search_help_text = "The recipient's external id."
    autocomplete_fields = ("recipient",)
    fields = ("tenant", "recipient", *PreferenceForm.Meta.fields)

    def search_queries(self, request: HttpRequest, term: str) -> Iterable[Any]:
        return (self.rows(request).filter(recipient_id__in=recipient_ids(request, term)),)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("tenant", "recipient") if obj is not None else ()
