"""Provider accounts: a form made from the provider's own settings. A secret is entered once and never shown again."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import escape, format_html
from django.utils.translation import gettext_lazy as _

from notifier.admin.accounts.connection_test import NAME as TEST_PAGE
from notifier.admin.accounts.connection_test import AccountTest
from notifier.delivery.accounts import connection_test, receipts_address, registry
from notifier.delivery.accounts.health import FULL, read_weights
from notifier.errors import InvalidInput
from notifier.models import ProviderAccount
from notifier.providers import provider_class, providers
from tenants.admin import OWNERS, TenantForm, TenantModelAdmin, admin_site, may
from tenants.admin.audit_entries import record_change
from tenants.admin.base.filters import ChannelFilter
from tenants.people.fields import app as app_name

PREFIX = "config_"
#: colours of the squares with a provider's initial: white text on each has a contrast of 4.5 and more
_HUES = ("#4a50d8", "#0f6b3c", "#7a4b00", "#b3202c", "#1d5aa6", "#6b2f9c", "#0b6470")
ABBREVIATIONS = {"api": "API", "arn": "ARN", "id": "ID", "smtp": "SMTP", "url": "URL"}


class WriteOnly(forms.Textarea):
    """Never renders its value, not even when the form comes back because of an error in another field."""

    def format_value(self, value: Any) -> None:
        return None


class AccountForm(TenantForm):
    """Base of the forms made per provider; `provider_name` is set by `form_for`."""

    provider_name = ""

    class Meta:
        model = ProviderAccount
        fields = ("tenant", "name", "app", "weight", "rate_per_s", "enabled")

    def clean_app(self) -> str:
        try:
            return app_name(self.cleaned_data["app"])
        except InvalidInput as error:
            raise forms.ValidationError(error.message) from None

    def clean(self) -> dict[str, Any] | None:
        values = super().clean() or {}
        try:
            provider_class(self.provider_name).Config.parse(self.settings())
        except InvalidInput as error:
            name = f"{PREFIX}{error.field}"
            self.add_error(name if name in self.fields else None, error.message)
        return values

    def settings(self) -> dict[str, Any]:
        """The entered settings. A secret that was left empty keeps its stored value."""
        secrets = {
            f.name for f in dataclasses.fields(provider_class(self.provider_name).Config) if f.metadata.get("secret")
        }
        stored = {} if self.instance._state.adding else registry.settings_of(self.instance)
        kept = {name: value for name, value in stored.items() if name in secrets}
        entered = {n.removeprefix(PREFIX): v for n, v in self.cleaned_data.items() if n.startswith(PREFIX)}
        return {**kept, **{name: value for name, value in entered.items() if value not in ("", None)}}


def form_for(provider: str, account: ProviderAccount | None) -> type[AccountForm]:
    """The form class of one provider, with a field for each of its settings."""
    stored = registry.settings_of(account) if account is not None else {}
    fields = {f"{PREFIX}{f.name}": form_field(f, stored) for f in dataclasses.fields(provider_class(provider).Config)}
    # a class is made, because ModelAdmin shows only fields that the form class itself declares
    return type("ProviderAccountForm", (AccountForm,), {**fields, "provider_name": provider})


def form_field(setting: Any, stored: Mapping[str, Any]) -> forms.Field:
    """One setting of a provider's Config as a form field."""
    required = setting.default is dataclasses.MISSING and setting.default_factory is dataclasses.MISSING
    label = setting.metadata.get("label") or label_of(setting.name)
    # a provider writes plain text, and Django shows a help text as HTML
    help_text: str = escape(setting.metadata.get("help", ""))
    if setting.metadata.get("secret"):
        keep_hint = " Stored; leave empty to keep it." if stored.get(setting.name) else ""
        help_text = f"{help_text} Encrypted at rest and never shown again.{keep_hint}".strip()
        return forms.CharField(
            label=label,
            required=required and not stored.get(setting.name),
            help_text=help_text,
            strip=False,
            widget=WriteOnly(attrs={"rows": 3}),
        )
    initial = stored.get(setting.name, None if required else setting.default)
    if choices := setting.metadata.get("choices"):
        texts = [(text, text) for text in choices]
        return forms.ChoiceField(label=label, initial=initial, choices=texts, help_text=help_text)
    kinds: dict[str, Any] = {"bool": forms.BooleanField, "int": forms.IntegerField, "float": forms.FloatField}
    kind = kinds.get(str(getattr(setting.type, "__name__", setting.type)), forms.CharField)
    # an unchecked box is a value, too
    must_be_filled = required and kind is not forms.BooleanField
    field: forms.Field = kind(label=label, required=must_be_filled, initial=initial, help_text=help_text)
    return field


def label_of(name: str) -> str:
    """A setting's name in words: `api_key` -> "API key"."""
    words = [ABBREVIATIONS.get(word, word) for word in name.split("_")]
    return " ".join([words[0][:1].upper() + words[0][1:], *words[1:]])


@admin.register(ProviderAccount, site=admin_site)
class ProviderAccountAdmin(AccountTest, TenantModelAdmin):
    group = "Settings"
    icon = "hub"
    rank = 40
    edited_by = OWNERS
    list_display = (
        "mark",
        "name",
        "channel",
        "app",
        "health",
        "last_test",
        "sandbox",
        "enabled",
        "weight",
        "rate_per_s",
    )
    list_display_links = ("name",)
    list_filter = (ChannelFilter, "sandbox", "enabled")
    search_fields = ("name", "provider")
    ordering = ("name",)
    actions = ("renew_receipts_address", "rotate_vapid_key")

    @admin.display(description=_("provider"), ordering="provider")
    def mark(self, account: ProviderAccount) -> str:
        """An initial in a square of our own, whose colour comes from the name, and the provider's name."""
        hue = _HUES[sum(account.provider.encode()) % len(_HUES)]
        return format_html(
            '<svg class="p-mark" width="22" height="22" viewBox="0 0 22 22" aria-hidden="true">'
            '<rect width="22" height="22" rx="6" fill="{}"/><text x="11" y="15.5" text-anchor="middle" font-size="12"'
            ' font-weight="700" fill="#fff">{}</text></svg> {}',
            hue,
            account.provider[:1].upper(),
            account.provider,
        )

    @admin.display(description=_("health"))
    def health(self, account: ProviderAccount) -> str:
        """In words: what the sender found in its last batches."""
        if not account.enabled:
            return format_html('<span class="n-badge n-badge--muted">{}</span>', _("off"))
        weight = read_weights([account.pk])[account.pk]
        if weight >= FULL:
            return format_html('<span class="n-badge n-badge--good">{}</span>', _("healthy"))
        if weight == 0:
            return format_html('<span class="n-badge n-badge--bad">{}</span>', _("paused: it fails"))
        text = _("%(weight)d %% healthy") % {"weight": weight}
        return format_html('<span class="n-badge n-badge--warn">{}</span>', text)

    @admin.display(description=_("last test"))
    def last_test(self, account: ProviderAccount) -> str:
        """The result of the last test of the connection, which leads to the test's page."""
        failed = [check.name for check in connection_test.checks_of(account) if check.passed is False]
        text: Any
        if account.tested_at is None:
            tone, text = "muted", _("not tested")
        elif failed:
            tone, text = "bad", _("failed: %(names)s") % {"names": ", ".join(failed)}
        else:
            tone, text = "good", _("passed")
        page = reverse(f"admin:{TEST_PAGE}", args=[account.pk])
        return format_html('<a class="n-badge n-badge--{}" href="{}">{}</a>', tone, page, text)

    def has_renew_permission(self, request: HttpRequest) -> bool:
        return may(request, OWNERS)

    @admin.action(description=_("Renew the receipts address"), permissions=["renew"])
    def renew_receipts_address(self, request: HttpRequest, queryset: Any) -> None:
        """The earlier address is valid for a day more, for messages in flight; renewing twice ends it at once."""
        accounts = [a for a in queryset if may(request, OWNERS, a) and provider_class(a.provider).reports]
        for account in accounts:
            receipts_address.renew_secret(account)
            account.save(update_fields=["receipts_secret"])
            record_change(request, account, "receipts_address_renewed")
        messages.success(
            request,
            f"{len(accounts)} receipts addresses renewed: paste each at its provider. The earlier address is valid for"
            " 24 hours more; renew it again to end it at once.",
        )

    @admin.action(description=_("Rotate the VAPID key (Web Push)"), permissions=["renew"])
    def rotate_vapid_key(self, request: HttpRequest, queryset: Any) -> None:
        """Browsers subscribe with the new key; those that subscribed with the earlier one are still reached."""
        rotated = 0
        with transaction.atomic():
            for account in ProviderAccount.objects.select_for_update().filter(pk__in=[a.pk for a in queryset]):
                if is_built_in(account) or not provider_class(account.provider).rotates:
                    continue
                if not may(request, OWNERS, account):
                    continue
                registry.renew_key(account)
                account.save(update_fields=["config"])
                record_change(request, account, "key_rotated")
                rotated += 1
        messages.success(
            request,
            f"{rotated} VAPID keys rotated: browsers subscribe with the new key from now on. Those that subscribed with"
            " an earlier key are still reached.",
        )

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """The accounts of the inbox and the sandbox are built in and cannot be changed."""
        return super().has_change_permission(request, obj) and not (obj is not None and is_built_in(obj))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and not (obj is not None and is_built_in(obj))

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is None or self.has_change_permission(request, obj):
            kwargs["form"] = form_for(obj.provider if obj else named_provider(request), obj)
        # the settings are no columns of the model, so only names of columns may go to the model form's factory
        columns = columns_of(obj.provider if obj else named_provider(request))
        kwargs["fields"] = columns if obj is None else columns[1:]
        return super().get_form(request, obj, change, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        base = columns_of(obj.provider if obj else named_provider(request))
        if obj is not None and not self.has_change_permission(request, obj):
            fixed = ("provider", "channel", "platform", "sandbox", "created_at")
            return (*base, *fixed, *self._secret_fields(request, obj))
        name = obj.provider if obj else named_provider(request)
        settings = [f"{PREFIX}{f.name}" for f in dataclasses.fields(provider_class(name).Config)]
        shown = ("provider", "channel", "platform", *self._secret_fields(request, obj)) if obj else ()
        return (*base, *shown, *settings)

    def _secret_fields(self, request: HttpRequest, account: ProviderAccount) -> tuple[str, ...]:
        """Only owners see the receipts address: a holder can report on the account's messages."""
        return ("receipts_address",) if may(request, OWNERS, account) and account.receipts_secret else ()

    @admin.display(description=_("receipts address"))
    def receipts_address(self, account: ProviderAccount) -> str:
        if not provider_class(account.provider).reports:
            return "This provider reports nothing."
        return receipts_address.address_of(account)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fixed = ("tenant", "provider", "channel", "platform", "sandbox", "created_at", "receipts_address")
        return fixed if obj is not None else ()

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """First a page that asks which provider, then the form with its settings."""
        if named_provider(request) or not self.has_add_permission(request):
            return super().add_view(request, form_url, extra_context)
        choices = sorted((cls.channel, name) for name, cls in providers().items() if not cls.builtin)
        context = {**self.admin_site.each_context(request), "title": "Which provider?", "choices": choices}
        return TemplateResponse(request, "admin/notifier/choose_provider.html", context)

    def save_model(self, request: HttpRequest, obj: ProviderAccount, form: Any, change: bool) -> None:
        obj.provider = form.provider_name
        registry.save_config(obj, form.settings())
        super().save_model(request, obj, form, change)


def columns_of(provider: str) -> tuple[str, ...]:
    """The columns of an account that its form shows; `app` for providers that serve devices."""
    kind = providers().get(provider)
    return tuple(name for name in AccountForm.Meta.fields if name != "app" or (kind is not None and kind.platform))


def is_built_in(account: ProviderAccount) -> bool:
    return account.sandbox or provider_class(account.provider).builtin


def named_provider(request: HttpRequest) -> str:
    """The provider that the address of the add page names; empty if it names no provider that can be added."""
    name = request.GET.get("provider", "")
    cls = providers().get(name)
    return name if cls is not None and not cls.builtin else ""
