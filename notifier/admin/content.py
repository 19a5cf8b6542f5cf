"""Templates: edit content by channel and locale, publish it as the next version, preview it for one recipient."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join

from notifier.channels import channels
from notifier.channels.base import UNREAD, Channel
from notifier.delivery.content import templates
from notifier.delivery.content.attachments.listing import MAX_BYTES, MAX_FILES, file_names
from notifier.delivery.content.links.variables import sample_links
from notifier.delivery.content.liquid import PERSON, check_names
from notifier.delivery.content.publishing.layouts import layout_of
from notifier.delivery.content.render_budget import shared_budget
from notifier.delivery.content.rules import flat_parts
from notifier.delivery.planning import recipients
from notifier.delivery.routes.read_route import check_content, read_route
from notifier.errors import InvalidInput, NotifierError
from notifier.models import Template, TemplateVersion
from notifier.values.trim import trimmed
from notifier.vocabulary.routes import from_json, stored_form
from tenants.admin import OwnedChoices, ReadOnlyAdmin, TenantForm, TenantModelAdmin, TenantTabularInline, admin_site
from tenants.admin.json_field import JsonField
from tenants.admin.roles import NO_ROLE
from tenants.models import Tenant

EXAMPLE = {"push": {"en": {"title": "Hello {{ recipient.name }}", "body": "Your order {{ order }} is on its way."}}}


class IndentedEncoder(json.JSONEncoder):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "indent": 2, "ensure_ascii": False})


def parts_help() -> str:
    """The help text, as HTML: the parts of every channel's content, and the keys of parts that are objects."""
    return format_html(
        "{} Saving publishes a version. The parts of a channel:{}",
        "{channel: {locale: {part: text}}}, in Liquid.",
        format_html_join("", "{}", ((_channel_help(kind),) for _, kind in sorted(channels().items()))),
    )


def _channel_help(kind: Channel) -> str:
    if not kind.part_help:
        return format_html("<br><b>{}</b>: {}", kind.name, ", ".join(kind.parts))
    rows = [(part, in_words(kind.part_help.get(part, "")), _keys_help(kind, part)) for part in kind.parts]
    return format_html(
        "<details><summary><b>{}</b>: {}</summary><ul>{}</ul></details>",
        kind.name, ", ".join(kind.parts), format_html_join("", "<li><code>{}</code>: {}{}</li>", rows),
    )  # fmt: skip


def _keys_help(kind: Channel, part: str) -> str:
    if part not in kind.key_help:
        return ""
    rows = [(name, in_words(text)) for name, text in kind.key_help[part].items()]
    return format_html(
        "<details><summary>{} keys</summary><ul>{}</ul></details>",
        len(rows), format_html_join("", "<li><code>{}</code>: {}</li>", rows),
    )  # fmt: skip


def in_words(text: str) -> str:
    """A text with its words in code marks as HTML."""
    pieces = text.split("`")
    return format_html_join("", "{}", (
        (format_html("<code>{}</code>", piece) if n % 2 else piece,) for n, piece in enumerate(pieces)
    ))  # fmt: skip


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
        label="Attach files",
        help_text="To the email, in every locale: 10 files, 10 MiB together. Attached files stand in the content under"
        " attachments; take them off there.",
    )
    publication: templates.Publication | None = None
    content = JsonField(
        encoder=IndentedEncoder, widget=forms.Textarea(attrs={"rows": 24, "cols": 100, "spellcheck": "false"})
    )

    class Meta:
        model = Template
        fields = ("tenant", "key", "name", "category", "layout", "without_layout", "route")
        field_classes = {"route": JsonField}
        widgets = {"route": forms.Textarea(attrs={"rows": 4, "cols": 100, "spellcheck": "false"})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.latest = self.instance.versions.first() if not self.instance._state.adding else None
        field = self.fields.get("category")
        if isinstance(field, forms.ModelChoiceField) and field.queryset is not None:
            # an archived category is offered only where it is chosen already
            field.queryset = field.queryset.filter(Q(archived_at=None) | Q(pk=self.instance.category_id))
        if "content" in self.fields:
            self.fields["content"].help_text = parts_help()
            self.initial.setdefault("content", self.latest.content if self.latest else EXAMPLE)

    def clean_route(self) -> Any:
        try:
            return stored_form(read_route(self.cleaned_data["route"] or []))
        except InvalidInput as error:
            raise forms.ValidationError(f"{error.field}: {error.message}") from error

    def clean(self) -> dict[str, Any] | None:
        values = super().clean() or {}
        tenant: Tenant | None = values.get("tenant") or (self.instance.tenant if self.instance.tenant_id else None)
        if tenant and "content" in values:
            values["content"] = with_uploads(values["content"], values.get("uploads") or [])
            chosen = Template(tenant=tenant, layout=values.get("layout"), without_layout=values["without_layout"])
            try:
                self.publication = templates.prepare(
                    values["content"], tenant, layout_of(chosen), category=values.get("category")
                )
                check_content(from_json(values.get("route")), values["content"])
            except NotifierError as error:
                prefix = f"{error.field}: " if error.field and error.field != "content" else ""
                place = "route" if prefix.startswith("route") else "content"
                self.add_error(place, f"{prefix}{error.message}")
        return values

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


class VersionInline(TenantTabularInline):
    model = TemplateVersion
    edited_by = NO_ROLE
    can_add = False
    fields = readonly_fields = ("number", "variables", "created_at", "created_by")
    verbose_name_plural = "Versions"
    show_change_link = True


class PreviewForm(forms.Form):
    recipient = forms.CharField(max_length=128, label="Recipient's external id")
    variables = JsonField(required=False, initial=dict, widget=forms.Textarea(attrs={"rows": 4}))

    def clean_variables(self) -> dict[str, Any]:
        variables = self.cleaned_data["variables"] or {}
        if not isinstance(variables, dict):
            raise forms.ValidationError('Must be an object, such as {"order": "4711"}.')
        try:
            check_names(variables, "variables")
        except NotifierError as error:
            raise forms.ValidationError(error.message) from error
        return variables


@admin.register(Template, site=admin_site)
class TemplateAdmin(TenantModelAdmin):
    group = "Content"
    rank = 10
    form = TemplateForm
    list_display = ("key", "name", "category", "preview_link")
    list_filter = (("category", OwnedChoices),)
    list_select_related = ("tenant", "category")
    search_fields = ("key", "name")
    ordering = ("key",)
    inlines = (VersionInline,)
    deleted_together = (TemplateVersion,)
    instead_of_deleting = "Sent messages name the version that they were rendered from."

    @admin.display(description="preview")
    def preview_link(self, template: Template) -> str:
        return format_html('<a href="{}">preview</a>', reverse("admin:notifier_template_preview", args=[template.pk]))

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        base = ("tenant", "key", "name", "category", "layout", "without_layout", "route")
        if obj is None or self.has_change_permission(request, obj):
            return (*base, "content", "uploads")
        return (*base, "published_content")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        # the key is fixed, because requests name it
        read_only = super().get_readonly_fields(request, obj)
        return (*read_only, "key", "published_content") if obj is not None else read_only

    @admin.display(description="content")
    def published_content(self, template: Template) -> str:
        latest = template.versions.first()
        return as_written(latest.content) if latest else "Nothing yet."

    def save_model(self, request: HttpRequest, obj: Template, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if form.has_new_content:
            user = request.user if request.user.is_authenticated else None
            version = templates.store(obj, form.publication, user)
            messages.success(request, f"Version {version.number} is published.")

    def get_urls(self) -> list[URLPattern]:
        preview = self.admin_site.admin_view(self.preview)
        return [path("<path:object_id>/preview/", preview, name="notifier_template_preview"), *super().get_urls()]

    def preview(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The newest version as one recipient of the tenant would get it. Nothing is stored or sent."""
        template = self.get_object(request, unquote(object_id))
        if template is None:
            raise Http404("There is no such template.")
        if not self.has_view_permission(request, template):
            raise PermissionDenied
        form = PreviewForm(request.GET or None)
        shown = self._render(template, form) if form.is_bound and form.is_valid() else {}
        shown = {name: as_previewed(name, parts) for name, parts in shown.items()}
        context = {**self.admin_site.each_context(request), "title": f"Preview of {template}", "form": form}
        return TemplateResponse(
            request, "admin/notifier/preview.html", {**context, "shown": shown, "template": template}
        )

    def _render(self, template: Template, form: PreviewForm) -> dict[str, Any]:
        latest = template.versions.first()
        external_id = trimmed(form.cleaned_data["recipient"])
        person = recipients.load_by_external_ids(template.tenant_id, [external_id]).get(external_id)
        if latest is None or person is None:
            form.add_error("recipient", "There is no such recipient." if latest else "Nothing is published yet.")
            return {}
        compiled = templates.compiled(latest.pk)
        variables = {**form.cleaned_data["variables"], **sample_links(), PERSON: person.variables()}
        locale = person.preferences.language or person.locale
        try:
            with shared_budget():
                rendered = {
                    name: compiled.render(
                        compiled.locale_for(name, locale, template.tenant.default_locale),
                        variables,
                        template.tenant.content_rules,
                    )
                    for name in compiled.channels
                }
        except NotifierError as error:
            form.add_error("variables", error.message)
            return {}
        return {name: with_file_names(name, parts) for name, parts in rendered.items()}


def with_file_names(channel_name: str, parts: Mapping[str, Any]) -> dict[str, Any]:
    """The rendered parts with the names of the files in place of their list."""
    lists = channels()[channel_name].file_parts.intersection(parts)
    return {**parts, **{part: file_names(parts[part]) for part in lists}}


def as_previewed(name: str, parts: dict[str, Any]) -> dict[str, Any]:
    """The parts as the preview shows them: the keys of objects one by one, the badge in words, whether the device shows
    anything, and the segments of a channel that is billed by segments."""
    kind = channels()[name]
    in_order = {part: parts[part] for part in kind.parts if part in parts}
    rows = {part: text for part, text in flat_parts(in_order).items() if text}
    if kind.unread_part and rows.get(kind.unread_part) == UNREAD:
        rows[kind.unread_part] = "the recipient's unread messages when the push leaves"
    if kind.is_silent(parts):
        rows["shown"] = "nothing: a data message"
    return {**rows, "segments": kind.segments(parts)} if kind.segmented else rows


@admin.register(TemplateVersion, site=admin_site)
class TemplateVersionAdmin(ReadOnlyAdmin):
    group = "Content"
    rank = 15
    list_display = ("template", "number", "created_at", "created_by")
    list_select_related = ("tenant", "template", "created_by")
    search_fields = ("template__key",)
    ordering = ("-id",)
    fields = ("tenant", "template", "number", "source", "sent", "variables", "created_at", "created_by")
    readonly_fields = ("source", "sent")

    @admin.display(description="content")
    def source(self, version: TemplateVersion) -> str:
        return as_written(version.content)

    @admin.display(description="sent")
    def sent(self, version: TemplateVersion) -> str:
        """What messages are rendered from."""
        return as_written(version.published) if version.published else "The content itself."
