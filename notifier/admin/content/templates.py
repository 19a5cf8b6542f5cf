"""The pages of templates: the form that publishes the next version, with the composer around its content, and the
read-only pages of versions."""

from __future__ import annotations

import json
import types
from base64 import b64encode
from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from notifier.admin.composer import page
from notifier.admin.composer.live import LiveViews
from notifier.admin.composer.posted import ContentField
from notifier.admin.content.template_list import TemplateList
from notifier.admin.content.versions import VersionViews
from notifier.channels import channels
from notifier.delivery.content import templates
from notifier.delivery.content.attachments.listing import MAX_BYTES, MAX_FILES
from notifier.delivery.content.checking import find_mistakes
from notifier.delivery.content.publishing.layouts import layout_of
from notifier.delivery.routes.read_route import check_content, read_route
from notifier.errors import InvalidInput, NotifierError
from notifier.models import Template, TemplateVersion
from notifier.vocabulary.routes import from_json, stored_form
from tenants.admin import OwnedChoices, ReadOnlyAdmin, TenantForm, TenantModelAdmin, admin_site
from tenants.admin.base.json_field import JsonField
from tenants.models import Tenant


class IndentedEncoder(json.JSONEncoder):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "indent": 2, "ensure_ascii": False})


class _ManyFiles(forms.ClearableFileInput):
    allow_multiple_selected = True


class FilesField(forms.FileField):
    """Any number of uploaded files."""

    widget = _ManyFiles

    def clean(self, data: Any, initial: Any = None) -> list[Any]:
        given = data if isinstance(data, list | tuple) else [data] if data else []
        files = [super(FilesField, self).clean(file, initial) for file in given]
        # a request with a file may have 512 MiB (IMPORT_MAX_BYTES), and the content is read into memory
        if len(files) > MAX_FILES or sum(file.size for file in files) > MAX_BYTES:
            raise forms.ValidationError(
                f"A message carries {MAX_FILES} files at most, of {MAX_BYTES // 1024**2} MiB together. Put large ones"
                " behind a link."
            )
        return files


class TemplateForm(TenantForm):
    uploads = FilesField(
        required=False,
        label=_("Attach files"),
        help_text=_("To the email, in every locale: 10 files, 10 MiB together."),
    )
    note = forms.CharField(
        required=False, max_length=200, label=_("What changed"), help_text=_("For the list of versions.")
    )
    publication: templates.Publication | None = None
    content = ContentField(encoder=IndentedEncoder, required=False)
    #: what keeps the content from being published
    mistakes: Sequence[NotifierError] = ()
    #: the values of a form that a button of the editor sent, in place of the stored ones
    posted: page.Recomposed | None = None

    class Meta:
        model = Template
        fields = ("tenant", "key", "name", "category", "layout", "without_layout", "route")
        field_classes = {"route": JsonField}
        widgets = {"route": forms.Textarea(attrs={"rows": 3, "spellcheck": "false"})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if self.posted is not None:
            kwargs["initial"] = {**(kwargs.get("initial") or {}), **self.posted.values}
        super().__init__(*args, **kwargs)
        self.latest = self.instance.versions.first() if not self.instance._state.adding else None
        field = self.fields.get("category")
        if isinstance(field, forms.ModelChoiceField) and field.queryset is not None:
            # an archived category is offered only where it is chosen already
            field.queryset = field.queryset.filter(Q(archived_at=None) | Q(pk=self.instance.category_id))
        if "content" in self.fields:
            self.initial.setdefault("content", self.latest.content if self.latest else {})

    def clean_route(self) -> Any:
        try:
            return stored_form(read_route(self.cleaned_data["route"] or []))
        except InvalidInput as error:
            raise forms.ValidationError(f"{error.field}: {error.message}") from error

    def clean(self) -> dict[str, Any] | None:
        values = super().clean() or {}
        tenant: Tenant | None = values.get("tenant") or (self.instance.tenant if self.instance.tenant_id else None)
        if tenant and "content" in values:
            values["content"] = with_uploads(values["content"] or {}, values.get("uploads") or [])
            chosen = Template(tenant=tenant, layout=values.get("layout"), without_layout=values["without_layout"])
            try:
                self.publication = templates.prepare(
                    values["content"], tenant, layout_of(chosen), category=values.get("category")
                )
                check_content(from_json(values.get("route")), values["content"])
            except NotifierError as error:
                self._refuse(error, tenant, values, layout_of(chosen))
        return values

    def _refuse(self, error: NotifierError, tenant: Tenant, values: dict[str, Any], layout: Any) -> None:
        """Add the error, and all other mistakes of the content: its author corrects them in one go."""
        if error.field and error.field.startswith("route"):
            self.add_error("route", f"{error.field}: {error.message}")
            return
        self.mistakes = find_mistakes(values["content"], tenant, layout, category=values.get("category")) or [error]
        for mistake in self.mistakes:
            prefix = f"{mistake.field}: " if mistake.field and mistake.field != "content" else ""
            self.add_error("content", f"{prefix}{mistake.message}")

    @property
    def has_new_content(self) -> bool:
        return self.publication is not None and not self.publication.is_in(self.latest)


def with_uploads(content: Any, files: Sequence[Any]) -> Any:
    """The content with uploaded files in each locale of each channel that carries files."""
    if not files or not isinstance(content, dict):
        return content
    listed = [{"name": file.name, "content": b64encode(file.read()).decode()} for file in files]
    for name, by_locale in content.items():
        for part in channels()[name].file_parts if name in channels() else ():
            for parts in by_locale.values() if isinstance(by_locale, dict) else ():
                # any other value stays, and publishing names it as a mistake
                if isinstance(parts, dict) and isinstance(parts.get(part) or [], list):
                    parts[part] = [*(parts.get(part) or []), *listed]
    return content


def as_written(content: Any) -> str:
    """Content as the form shows it."""
    return format_html("<pre>{}</pre>", json.dumps(content, cls=IndentedEncoder))


@admin.register(Template, site=admin_site)
class TemplateAdmin(LiveViews, VersionViews, TemplateList, TenantModelAdmin):
    group = "Templates"
    icon = "draft"
    rank = 10
    form = TemplateForm
    change_form_template = "admin/notifier/template/change_form.html"
    change_list_template = "admin/notifier/template/change_list.html"
    list_filter = (("category", OwnedChoices),)
    search_fields = ("key", "name")
    ordering = ("key",)
    deleted_together = (TemplateVersion,)
    instead_of_deleting = "Sent messages name the version that they were rendered from."

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("tenant", "category", "layout")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return (
            (None, {"fields": ("tenant", "key", "name", "category")}),
            (_("Layout and route"), {"fields": ("layout", "without_layout", "route"), "classes": ("collapse",)}),
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        # the key is fixed, because requests name it
        read_only = super().get_readonly_fields(request, obj)
        return (*read_only, "key") if obj is not None else read_only

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        posted = page.recomposed_of(request)
        if posted is None:
            return form
        return types.new_class(form.__name__, (form,), exec_body=lambda members: members.update(posted=posted))

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> Any:
        """The buttons of the editor change what the page shows, and store nothing."""
        if page.is_recomposed(request):
            template = self.get_object(request, unquote(object_id)) if object_id is not None else None
            page.recompose(request, template)
        return super().changeform_view(request, object_id, form_url, extra_context)

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        template: Template | None = kwargs.get("obj")
        form = context["adminform"].form
        can_edit = self.has_change_permission(request, template) if template else self.has_add_permission(request)
        context |= page.context_of(request, form, template, can_edit=can_edit)
        response = super().render_change_form(request, context, *args, **kwargs)
        response.frames_own_pages = True  # the preview of an email
        return response

    def save_model(self, request: HttpRequest, obj: Template, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        version = form.latest
        if form.has_new_content:
            user = request.user if request.user.is_authenticated else None
            version = templates.store(obj, form.publication, user, note=form.cleaned_data.get("note", ""))
            messages.success(request, _("Version %(number)s is published.") % {"number": version.number})
        reviewed = [tuple(each.split(":", 1)) for each in request.POST.getlist("reviewed") if ":" in each]
        if version is not None and reviewed:
            templates.mark_current(version, [(name, locale) for name, locale in reviewed])

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: Any = None) -> Any:
        """Stay with the template: its author looks at it, and sends it to themselves."""
        return HttpResponseRedirect(reverse("admin:notifier_template_change", args=[obj.pk]))

    def response_change(self, request: HttpRequest, obj: Any) -> Any:
        return HttpResponseRedirect(reverse("admin:notifier_template_change", args=[obj.pk]))

    def get_urls(self) -> list[URLPattern]:
        preview = self.admin_site.admin_view(self.preview)
        return [path("<path:object_id>/preview/", preview, name="notifier_template_preview"), *super().get_urls()]

    def preview(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Every channel of the newest version as one recipient of the tenant would get it. Nothing is stored or
        sent."""
        template = self.get_object(request, unquote(object_id))
        if template is None:
            raise Http404("There is no such template.")
        if not self.has_view_permission(request, template):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "title": _("Preview of %(name)s") % {"name": template},
            "opts": self.opts,
            "template": template,
            **page.preview_context(request, template),
        }
        response = TemplateResponse(request, "admin/notifier/template/preview.html", context)
        response.frames_own_pages = True  # type: ignore[attr-defined]
        return response


@admin.register(TemplateVersion, site=admin_site)
class TemplateVersionAdmin(ReadOnlyAdmin):
    group = "Templates"
    icon = "history"
    in_navigation = False
    rank = 15
    list_display = ("template", "number", "note", "created_at", "created_by")
    list_select_related = ("tenant", "template", "created_by")
    search_fields = ("template__key",)
    ordering = ("-id",)
    fields = ("tenant", "template", "number", "source", "sent", "variables", "note", "created_at", "created_by")
    readonly_fields = ("source", "sent")

    @admin.display(description=_("content"))
    def source(self, version: TemplateVersion) -> str:
        return as_written(version.content)

    @admin.display(description=_("sent"))
    def sent(self, version: TemplateVersion) -> str:
        """What messages are rendered from."""
        return as_written(version.published) if version.published else "The content itself."
