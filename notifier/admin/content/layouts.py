"""Layouts around a tenant's emails: the form, and publishing the templates with a changed layout again."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from notifier.delivery.content import templates
from notifier.delivery.content.publishing.layouts import check_layout, layout_of
from notifier.errors import InvalidInput, NotifierError
from notifier.models import Layout, Template
from tenants.admin import TenantForm, TenantModelAdmin, admin_site

SOURCE = {"rows": 20, "cols": 100, "spellcheck": "false"}


class LayoutForm(TenantForm):
    publish_again = forms.BooleanField(
        required=False,
        label=_("Publish the templates with this layout again"),
        help_text=_(
            "A published template keeps the layout that it was published with. With this mark each template of"
            " the layout gets a new version; messages and campaigns that are accepted or armed already keep the old"
            " one."
        ),
    )

    class Meta:
        model = Layout
        fields = ("tenant", "key", "html", "text", "postal_address", "is_default")
        labels = {"html": "HTML", "is_default": "Default layout"}
        widgets = {
            "html": forms.Textarea(attrs=SOURCE),
            "text": forms.Textarea(attrs={**SOURCE, "rows": 6}),
            "postal_address": forms.Textarea(attrs={"rows": 3, "cols": 60}),
        }
        help_texts = {
            "html": "HTML or MJML, in Liquid. {{ content }} stands where the template's own html belongs.",
            "text": "Around a text part that a template brings; a derived text has the layout of the html already.",
            "postal_address": "Stands at {{ postal_address }}. Many countries ask for it in advertising mail.",
            "is_default": "For all templates that name no other layout.",
        }

    def clean(self) -> dict[str, Any] | None:
        values = super().clean() or {}
        given = {name: values.get(name, "") for name in ("html", "text", "postal_address")}
        try:
            check_layout(Layout(key=values.get("key") or self.instance.key, **given))
        except InvalidInput as error:
            self.add_error(error.field if error.field in self.fields else None, error.message)
        return values


@admin.register(Layout, site=admin_site)
class LayoutAdmin(TenantModelAdmin):
    group = "Templates"
    icon = "web"
    rank = 12
    form = LayoutForm
    list_display = ("key", "is_default", "updated_at")
    search_fields = ("key",)
    ordering = ("key",)
    fields = ("tenant", "key", "html", "text", "postal_address", "is_default", "publish_again")
    instead_of_deleting = "Let the templates name another layout first."

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        may_edit = obj is None or self.has_change_permission(request, obj)
        return self.fields if may_edit else tuple(name for name in self.fields if name != "publish_again")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        # the key is fixed, because templates of the API name it
        read_only = super().get_readonly_fields(request, obj)
        return (*read_only, "key") if obj is not None else read_only

    def save_model(self, request: HttpRequest, obj: Layout, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if form.cleaned_data.get("publish_again"):
            _publish_again(request, obj)


def templates_with(layout: Layout) -> QuerySet[Template]:
    """The templates that would be published with this layout."""
    chosen = Q(layout=layout) | Q(layout=None) if layout.is_default else Q(layout=layout)
    return Template.objects.filter(chosen, tenant_id=layout.tenant_id, without_layout=False).order_by("key")


def _publish_again(request: HttpRequest, layout: Layout) -> None:
    user = request.user if request.user.is_authenticated else None
    published = 0
    for template in templates_with(layout):
        latest = template.versions.first()
        if latest is None:
            continue
        try:
            publication = templates.prepare(
                latest.content, template.tenant, layout_of(template), category=template.category
            )
        except NotifierError as error:
            messages.error(request, f"{template} was not published again. {error.field}: {error.message}")
            continue
        if not publication.is_in(latest):
            templates.store(template, publication, user)
            published += 1
    messages.success(request, f"{published} templates were published again.")
