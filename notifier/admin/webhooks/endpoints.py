"""Webhook endpoints: the list with the health of each, the form, and the page with what was sent. Only owners change
endpoints and see secrets: an endpoint gets every event of the tenant."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from notifier.admin.webhooks.page import NAME, PageOfRequests
from notifier.errors import Conflict, InvalidInput
from notifier.models import WebhookEndpoint
from notifier.vocabulary.webhooks import EventType, groups
from notifier.webhooks import endpoints
from tenants.admin import OWNERS, TenantForm, TenantModelAdmin, admin_site, may
from tenants.audit import Actor

#: what the form shows: the names of groups, then of types
CHOICES = [*((f"{group}.*", f"{group}.*") for group in groups()), *((str(name), str(name)) for name in EventType)]
HEADERS_HELP = _(
    "Headers of your own, one a line, such as Authorization: Bearer abc. Encrypted at rest and never shown again; "
    "leave empty to keep what is stored, write a hyphen to remove all."
)
#: the encryption key is gone
_UNREADABLE = cast(str, _("unreadable"))


class EndpointForm(TenantForm):
    event_types = forms.MultipleChoiceField(
        choices=CHOICES,
        required=False,
        help_text=_("Without a choice, every event. A name with * stands for all that begin so."),
    )
    own_headers = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 3}), help_text=HEADERS_HELP)

    class Meta:
        model = WebhookEndpoint
        fields = ("tenant", "url", "description", "enabled", "event_types")

    def clean(self) -> dict[str, Any] | None:
        values = super().clean() or {}
        tenant = values.get("tenant")
        if self.instance._state.adding and tenant is not None:
            try:
                endpoints.check_room(tenant)
            except Conflict as error:
                self.add_error(None, error.message)
        return values

    def clean_url(self) -> str:
        return str(self._checked(endpoints.checked_url, self.cleaned_data["url"]))

    def clean_own_headers(self) -> dict[str, str] | None:
        """None: keep what is stored."""
        text = self.cleaned_data["own_headers"].strip()
        if not text:
            return None
        lines = [] if text == "-" else text.splitlines()
        pairs = [line.partition(":") for line in lines if line.strip()]
        headers = {name.strip(): value.strip() for name, _colon, value in pairs}
        return dict(self._checked(endpoints.checked_headers, headers))

    def _checked(self, check: Any, value: Any) -> Any:
        try:
            return check(value)
        except InvalidInput as error:
            raise forms.ValidationError(error.message) from None

    def values(self) -> dict[str, Any]:
        """What the domain functions take."""
        names = ("url", "description", "enabled", "event_types")
        values = {name: self.cleaned_data[name] for name in names}
        headers = self.cleaned_data["own_headers"]
        return values if headers is None else {**values, "headers": headers}


@admin.register(WebhookEndpoint, site=admin_site)
class WebhookEndpointAdmin(PageOfRequests, TenantModelAdmin):
    group = "Settings"
    icon = "webhook"
    rank = 45
    edited_by = OWNERS
    audited_by_domain = True
    form = EndpointForm
    list_display = ("url", "description", "health", "succeeded_at", "requests_link")
    list_filter = ("enabled",)
    search_fields = ("url", "description")
    ordering = ("-id",)
    change_form_template = "admin/notifier/webhookendpoint/change_form.html"

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_http_methods(["GET", "HEAD", "POST"])(self.requests_view))
        return [path("<path:object_id>/requests/", view, name=NAME), *super().get_urls()]

    @admin.display(description=_("health"))
    def health(self, endpoint: WebhookEndpoint) -> str:
        """In words: what the last attempts found."""
        text: Any
        if endpoint.disabled_because:
            tone, text = "bad", _("disabled by Notifier")
        elif not endpoint.enabled:
            tone, text = "muted", _("off")
        elif endpoint.failures:
            tone, text = "warn", _("%(n)d failures: %(why)s") % {"n": endpoint.failures, "why": endpoint.last_error}
        elif endpoint.succeeded_at is None:
            tone, text = "muted", _("nothing sent yet")
        else:
            tone, text = "good", _("healthy")
        return format_html('<span class="n-badge n-badge--{}">{}</span>', tone, text)

    @admin.display(description=_("requests"))
    def requests_link(self, endpoint: WebhookEndpoint) -> str:
        return format_html('<a href="{}">{}</a>', reverse(f"admin:{NAME}", args=[endpoint.pk]), _("Requests"))

    @admin.display(description=_("names of headers"))
    def header_names(self, endpoint: WebhookEndpoint) -> str:
        try:
            return ", ".join(sorted(endpoints.headers_of(endpoint))) or "–"
        except ValueError:
            return _UNREADABLE

    @admin.display(description=_("secret"))
    def signing_secret(self, endpoint: WebhookEndpoint) -> str:
        """The newest one."""
        try:
            return endpoints.secrets_of(endpoint, datetime.now(UTC))[0]
        except ValueError:
            return _UNREADABLE

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        columns = ("tenant", "url", "description", "enabled", "event_types")
        if obj is None:
            return (*columns, "own_headers")
        shown = ("health", "disabled_because", "failing_since", "header_names", "earlier_until", "created_at")
        if not self.has_change_permission(request, obj):
            return (*columns, *shown)
        return (*columns, "own_headers", "signing_secret", *shown)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return ()
        shown = ("health", "disabled_because", "failing_since", "header_names", "earlier_until", "created_at")
        secret = ("signing_secret",) if may(request, OWNERS, obj) else ()
        return ("tenant", *secret, *shown)

    def render_change_form(
        self, request: HttpRequest, context: Any, add: bool = False, change: bool = False, form_url: str = "",
        obj: Any = None,
    ) -> Any:  # fmt: skip
        """The page of an endpoint shows its secret to owners, and the audit log says who saw it."""
        if obj is not None and not add and may(request, OWNERS, obj):
            endpoints.record_read(obj, Actor(request.user))  # type: ignore[arg-type]
        return super().render_change_form(request, context, add, change, form_url, obj)

    def save_model(self, request: HttpRequest, obj: WebhookEndpoint, form: Any, change: bool) -> None:
        by = Actor(request.user)  # type: ignore[arg-type]
        if change:
            endpoints.change(WebhookEndpoint.objects.get(pk=obj.pk), form.values(), by)
            return
        obj.pk = endpoints.create(form.cleaned_data["tenant"], form.values(), by).pk

    def delete_model(self, request: HttpRequest, obj: WebhookEndpoint) -> None:
        endpoints.delete(obj, Actor(request.user))  # type: ignore[arg-type]

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        for endpoint in queryset:
            self.delete_model(request, endpoint)
