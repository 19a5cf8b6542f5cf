"""Pages about a tenant's settings and API keys; and about users, for operators."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.html import format_html_join
from django.utils.safestring import mark_safe
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from notifier.channels.links import check_scheme
from notifier.channels.names import check_channel_names
from notifier.errors import InvalidInput
from notifier.values.send_windows import read_windows
from notifier.vocabulary.retention import Keep, cutoff
from tenants.admin.audit_entries import record_change
from tenants.admin.base.forms import TenantForm, checked_value
from tenants.admin.base.hardening import HardenedAdmin
from tenants.admin.base.model_admin import TenantModelAdmin
from tenants.admin.pages import page_texts, tenant_limits
from tenants.admin.roles import OWNERS, is_platform_operator, may
from tenants.admin.shown_once import OneTimeSecret, show_once
from tenants.admin.site import admin_site
from tenants.api_keys import EVERYTHING, SCOPES, create_key
from tenants.bootstrap import create_default_categories
from tenants.login import login_sessions, second_factor
from tenants.models import ApiKey, LoginSession, Member, Tenant, User
from tenants.people import fields as checks
from tenants.retention.periods import COLUMNS, bounds, check_days, days_of

#: an operator's switches of a tenant, with the verbs of the audit entries for on and off
SWITCH_VERBS = {"sandbox": ("back_to_sandbox", "went_live"), "active": ("activated", "deactivated")}


#: what the page says of each kind of data
KEPT_TEXTS = {
    Keep.MESSAGES: _("Messages: %(days)s days, since %(since)s (usual: %(usual)s, at most %(most)s)."),
    Keep.COUNTS: _("Counts: %(days)s days, since %(since)s (usual: %(usual)s, at most %(most)s)."),
}
#: a form that leaves these out keeps their values
KEPT_IF_EMPTY = ("opt_in", "approval", "approval_above", "confirm_above")


class TenantSettingsForm(TenantForm):
    page_title_en, page_intro_en, page_footer_en = page_texts.fields_for("en")
    page_title_de, page_intro_de, page_footer_de = page_texts.fields_for("de")
    page_title_es, page_intro_es, page_footer_es = page_texts.fields_for("es")
    quota_lines = tenant_limits.field()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in KEPT_IF_EMPTY:
            if name in self.fields:
                self.fields[name].required = False
        self.initial.setdefault(tenant_limits.LINES, tenant_limits.lines_of(self.instance.quotas))
        for name, text in page_texts.initial_values(self.instance.page_texts).items():
            self.initial.setdefault(name, text)

    def clean(self) -> dict[str, Any] | None:
        values = super().clean() or {}
        for name in KEPT_IF_EMPTY:
            if name in values and values[name] in (None, ""):
                values[name] = getattr(self.instance, name)
        if any(name in self.fields for name in page_texts.FIELDS):
            self.instance.page_texts = page_texts.texts_of(values)
        return values

    def clean_quota_lines(self) -> str:
        text = str(self.cleaned_data[tenant_limits.LINES])
        try:
            self.instance.quotas = tenant_limits.read_lines(text)
        except InvalidInput as error:
            raise forms.ValidationError(error.message) from error
        return text

    def clean_send_windows(self) -> str:
        text = "\n".join(line.strip() for line in self.cleaned_data["send_windows"].splitlines() if line.strip())
        try:
            check_channel_names(list(read_windows(text)), "send_windows")
        except InvalidInput as error:
            raise forms.ValidationError(error.message) from error
        return text

    def clean_default_locale(self) -> str:
        return checked_value(self, "default_locale", checks.locale)

    def clean_timezone(self) -> str:
        return checked_value(self, "timezone", checks.timezone)

    def clean_keep_messages_days(self) -> int | None:
        return self._days(Keep.MESSAGES)

    def clean_keep_counts_days(self) -> int | None:
        return self._days(Keep.COUNTS)

    def _days(self, keep: Keep) -> int | None:
        try:
            return check_days(keep, self.cleaned_data.get(COLUMNS[keep]))
        except InvalidInput as error:
            raise forms.ValidationError(error.message) from error

    def clean_link_schemes(self) -> list[str]:
        try:
            return sorted({check_scheme(scheme) for scheme in self.cleaned_data["link_schemes"]})
        except InvalidInput as error:
            raise forms.ValidationError(error.message) from error


@admin.register(Tenant, site=admin_site)
class TenantAdmin(TenantModelAdmin):
    group = "Settings"
    icon = "tune"
    rank = 10
    form = TenantSettingsForm
    edited_by = OWNERS
    can_delete_rows = False
    list_display = ("name", "slug", "sandbox", "active", "created_at")
    list_filter = ("sandbox", "active")
    list_select_related = False
    search_fields = ("name", "slug")
    ordering = ("name",)
    fieldsets = (
        (None, {"fields": ("name", "slug", "default_locale", "timezone")}),
        (_("Look"), {"fields": ("brand_color", "logo_url"), "description": _("Of the pages that recipients see.")}),
        (_("Login"), {"fields": ("require_two_factor",)}),
        (_("Before GO"), {"fields": ("approval", "approval_above", "require_test_copy", "confirm_above")}),
        (_("Consent and hours"), {"fields": ("opt_in", "send_windows", "tracking")}),
        (_("Content"), {"fields": ("link_schemes", "sms_segments", "sms_transliterate")}),
        (
            _("Preferences page"),
            {
                "fields": page_texts.FIELDS,
                "description": _("Your own texts, above and below the choices; empty: the page's own. Plain text."),
                "classes": ["collapse"],
            },
        ),
        (
            _("How long data is kept"),
            {
                "fields": (*COLUMNS.values(), "kept_now"),
                "description": _("A shorter time deletes what is older within the hour. Nothing brings it back."),
            },
        ),
        (_("Limits"), {"fields": (*tenant_limits.RATES, tenant_limits.LINES, "usage")}),
        (_("Operation"), {"fields": ("status_page", "sandbox", "active", "id", "created_at")}),
    )

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_platform_operator(request)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fixed = ("id", "created_at", "kept_now", "usage")
        if is_platform_operator(request):
            return fixed if obj is None else (*fixed, "slug")
        # operators decide these
        return (*fixed, "slug", "sandbox", "active", *tenant_limits.RATES)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Quotas are lines of text for an operator; members see what is used of them."""
        fieldsets = super().get_fieldsets(request, obj)
        if is_platform_operator(request):
            return fieldsets
        return [
            (title, {**options, "fields": tuple(name for name in options["fields"] if name != tenant_limits.LINES)})
            for title, options in fieldsets
        ]

    @admin.display(description=_("used"))
    def usage(self, tenant: Tenant) -> str:
        return tenant_limits.shown_usage(tenant)

    @admin.display(description=_("kept now"))
    def kept_now(self, tenant: Tenant) -> str:
        """What is kept, and since when, with the operator's bounds."""
        if tenant.created_at is None:  # the form of a new tenant
            return "–"
        now, sentences = datetime.now(UTC), []
        for keep, text in KEPT_TEXTS.items():
            days = days_of(tenant, keep)
            limits = bounds(keep)
            values = {"days": days, "usual": limits.usual, "most": limits.most}
            sentences.append(text % {**values, "since": date_format(cutoff(now, days), "DATE_FORMAT")})
        return format_html_join(mark_safe("<br>"), "{}", ((sentence,) for sentence in sentences))

    def save_model(self, request: HttpRequest, obj: Tenant, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if not change:
            create_default_categories(obj)
            return
        if tenant_limits.LINES in form.changed_data:
            before = tenant_limits.read_lines(form.initial[tenant_limits.LINES])
            record_change(request, obj, "quotas_changed", changes=tenant_limits.changed_values(before, obj.quotas))
        if "require_two_factor" in form.changed_data:
            if obj.require_two_factor:
                self._end_sessions_without_second_factor(request, obj)
            record_change(request, obj, "two_factor_required" if obj.require_two_factor else "two_factor_optional")
        if chosen := {name: getattr(obj, name) for name in COLUMNS.values() if name in form.changed_data}:
            record_change(request, obj, "retention_changed", **chosen)
        for field, (on, off) in SWITCH_VERBS.items():
            if field in form.changed_data:
                record_change(request, obj, on if getattr(obj, field) else off)

    def _end_sessions_without_second_factor(self, request: HttpRequest, tenant: Tenant) -> None:
        """Members without a second factor log in again, and set one up on the way."""
        members = Member.objects.filter(tenant=tenant).exclude(user_id__in=second_factor.users_with_second_factor())
        sessions = LoginSession.objects.filter(user_id__in=list(members.values_list("user_id", flat=True)))
        ended = login_sessions.end_sessions(sessions.exclude(digest=login_sessions.digest_of(request.session)))
        if ended:
            text = ngettext(
                "%(count)d session without a second factor was ended.",
                "%(count)d sessions without a second factor were ended.",
                ended,
            )
            messages.info(request, text % {"count": ended})


#: what a key may do with each scope, in the words of the page
SCOPE_TEXTS = {
    "*": _("Everything but approving campaigns"),
    "send": _("Send messages, and explain why one did not go out"),
    "recipients": _("Read and write people, their devices, choices and suppressions"),
    "campaigns": _("Write templates and audiences; make, arm, launch and stop campaigns"),
    "approvals": _("Approve and reject campaigns, for a service that decides in place of a person"),
    "inbox": _("Make the tokens with which an app opens a recipient's inbox"),
    "events": _("Report that messages were opened or clicked"),
}


class ApiKeyForm(TenantForm):
    scopes = forms.MultipleChoiceField(
        label=_("What the key may do"),
        choices=[(scope, SCOPE_TEXTS.get(scope, scope)) for scope in (EVERYTHING, *SCOPES)],
        initial=[EVERYTHING],
        widget=forms.CheckboxSelectMultiple,
    )

    class Meta:
        model = ApiKey
        fields = ("tenant", "name", "mode", "scopes", *tenant_limits.RATES)


@admin.register(ApiKey, site=admin_site)
class ApiKeyAdmin(TenantModelAdmin):
    group = "Settings"
    icon = "key"
    rank = 30
    edited_by = OWNERS
    can_delete_rows = False
    form = ApiKeyForm
    list_display = ("name", "prefix", "mode", "allows", "last_used_at", "state")
    list_filter = ("mode",)
    search_fields = ("name", "prefix__startswith")
    actions = ("rotate", "revoke")

    @admin.display(description=_("may"))
    def allows(self, key: ApiKey) -> str:
        return ", ".join(str(SCOPE_TEXTS.get(scope, scope)) for scope in key.scopes)

    @admin.display(description=_("state"))
    def state(self, key: ApiKey) -> str:
        if key.revoked_at is not None:
            return gettext("revoked")
        return gettext("in use") if key.last_used_at else gettext("never used")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = ("tenant", "name", "mode", "scopes", *tenant_limits.RATES)
        return fields if obj is None else (*fields, "prefix", "created_at", "last_used_at", "revoked_at")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fixed = ("tenant", "mode", "scopes", "prefix", "created_at", "last_used_at", "revoked_at")
        return fixed if obj is not None else ()

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        created, key = create_key(obj.tenant, obj.name, obj.mode, form.cleaned_data["scopes"])
        rates = {name: getattr(obj, name) for name in tenant_limits.RATES}
        ApiKey.objects.filter(pk=created.pk).update(**rates)
        obj.pk, obj.prefix = created.pk, created.prefix
        obj._state.adding = False
        request.__dict__["notifier_key"] = key

    def response_add(self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None) -> HttpResponse:
        values = {"key": request.__dict__.pop("notifier_key", "")}
        back = reverse("admin:tenants_apikey_changelist")
        return show_once(request, OneTimeSecret(obj.tenant_id, f"API key {obj.name}", values, back))

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return may(request, OWNERS)

    @admin.action(description=_("Rotate: a second key of the same rights"), permissions=["revoke"])
    def rotate(self, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        """A new key beside the old one, so that servers can change over one after the other. The old key works until
        it is revoked."""
        keys = [key for key in queryset.select_related("tenant").filter(revoked_at=None) if may(request, OWNERS, key)]
        if len(keys) != 1:
            messages.error(request, gettext("Choose one key that is not revoked."))
            return None
        old = keys[0]
        created, text = create_key(old.tenant, old.name, old.mode, old.scopes)
        rates = {name: getattr(old, name) for name in tenant_limits.RATES}
        ApiKey.objects.filter(pk=created.pk).update(**rates)
        record_change(request, created, "rotated")
        messages.info(request, gettext("Both keys work now. Revoke the old one when its last use no longer changes."))
        back = reverse("admin:tenants_apikey_changelist")
        return show_once(request, OneTimeSecret(old.tenant_id, f"API key {old.name}", {"key": text}, back))

    @admin.action(description=_("Revoke the selected keys"), permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: Any) -> None:
        keys = [key for key in queryset.filter(revoked_at=None) if may(request, OWNERS, key)]
        ApiKey.objects.filter(pk__in=[key.pk for key in keys]).update(revoked_at=datetime.now(UTC))
        for key in keys:
            record_change(request, key, "revoked")
        messages.success(request, f"{len(keys)} keys revoked; requests with them are refused from now on.")


@admin.register(User, site=admin_site)
class OperatorUserAdmin(HardenedAdmin, UserAdmin):  # type: ignore[type-arg]
    """For operators only: no member has Django's own permissions, which this page asks for."""

    icon = "manage_accounts"
    list_filter = ("is_staff", "is_superuser", "is_active")
    # Django's groups and permissions are not used
    filter_horizontal = ()
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("Person", {"fields": ("first_name", "last_name", "email")}),
        ("Rights", {"fields": ("is_active", "is_staff", "is_superuser")}),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )

    def get_queryset(self, request: HttpRequest) -> Any:
        # for other users every id must look unknown, also where Django looks before it checks permissions
        rows = super().get_queryset(request)
        return rows if is_platform_operator(request) else rows.none()

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if not change:
            # without `staff` the user could not log in; the user's page can take it away
            obj.is_staff = True
        super().save_model(request, obj, form, change)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # the audit log names users; switch `active` off instead
        return False
