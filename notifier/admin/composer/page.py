"""What the page of a template needs beside its form: the editor, the preview, the variables, and the answers of the
editor's own buttons, which work without JavaScript."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from django.forms.fields import InvalidJSONInput
from django.http import HttpRequest
from django.urls import reverse

from notifier.admin.composer import changes
from notifier.admin.composer.editor import editor_of
from notifier.admin.composer.live import data_of, json_text, preview_of
from notifier.admin.composer.me import own_recipient, tester, viewed_recipient
from notifier.admin.composer.posted import ContentWidget, shown_content
from notifier.admin.composer.previews import Preview, PreviewRequest, first_recipient, load_person, preview
from notifier.admin.composer.variables import data_paths, offered, placeholders
from notifier.delivery.content.publishing.layouts import layout_of
from notifier.delivery.content.templates import normalised
from notifier.errors import InvalidInput, NotifierError
from notifier.models import Template, TemplateVersion
from notifier.values.trim import trimmed
from notifier.vocabulary.ids import parse_id
from tenants.admin.base.json_field import read_json
from tenants.admin.person_reads import record_read
from tenants.admin.roles import AUTHORS, editable_tenants
from tenants.models import Tenant

#: bytes of an imported file: a form's fields may have 1 MiB
MOST_IMPORTED = 1024 * 1024
_FIELDS = ("tenant", "key", "name", "category", "layout", "without_layout", "route", "note")


@dataclass(frozen=True)
class Recomposed:
    """A form that a button of the editor sent: its values, with the content after the button's change."""

    values: Mapping[str, Any]
    errors: Sequence[NotifierError] = ()
    shown: Preview | None = None
    active: tuple[str, str] = ("", "")
    data: str = ""
    reviewed: Sequence[str] = field(default_factory=tuple)


def is_recomposed(request: HttpRequest) -> bool:
    return request.method == "POST" and changes.BUTTON in request.POST


def recomposed_of(request: HttpRequest) -> Recomposed | None:
    recomposed: Recomposed | None = request.__dict__.get("composer_recomposed")
    return recomposed


def recompose(request: HttpRequest, template: Template | None) -> None:
    """Change what the posted form shows, and let Django show it as a page that was asked for by GET."""
    post, action = request.POST, request.POST[changes.BUTTON]
    tenant = template.tenant if template is not None else tenant_of(request)
    default = tenant.default_locale if tenant is not None else "en"
    content = shown_content(ContentWidget().value_from_datadict(post, {}, "content") or "{}")
    errors: list[NotifierError] = []
    shown, reviewed = None, set(post.getlist("reviewed"))
    try:
        if action == "import":
            content = imported(request.FILES.get("import_file"))
        elif action == "preview" and tenant is not None:
            shown = preview_of(request, tenant, template, content)
        elif action.startswith("reviewed:"):
            reviewed.add(action.partition(":")[2])
        else:
            content = changes.apply(content, action, post, default)
    except NotifierError as error:
        errors.append(error)
    values = {name: post[name] for name in _FIELDS if name in post}
    if "route" in values:
        values["route"] = InvalidJSONInput(values["route"])
    recomposed = Recomposed(
        {**values, "content": content},
        errors,
        shown,
        _active(action, post, content),
        post.get("preview_data", ""),
        sorted(reviewed),
    )
    request.__dict__["composer_recomposed"] = recomposed
    request.method = "GET"


def imported(file: Any) -> Any:
    """The content of an exported file, or of a template as the API shows it. Raises InvalidInput."""
    if file is None or file.size is None:
        raise InvalidInput("Choose a JSON file.", field="import_file")
    if file.size > MOST_IMPORTED:
        raise InvalidInput(f"The file has {file.size:,} bytes; {MOST_IMPORTED:,} are possible.", field="import_file")
    try:
        content = read_json(file.read().decode("utf-8-sig"))
    except ValueError:
        raise InvalidInput("The file is no JSON.", field="import_file") from None
    if isinstance(content, Mapping) and isinstance(content.get("content"), Mapping):
        content = content["content"]
    read = shown_content(normalised(content))
    if not isinstance(content, Mapping) or not read or read.keys() != content.keys():
        raise InvalidInput(
            'The file must hold {"channel": {"locale": {"part": "text"}}}, as an export does.', field="import_file"
        )
    return read


def context_of(request: HttpRequest, form: Any, template: Template | None, *, can_edit: bool) -> dict[str, Any]:
    """The context of the page."""
    recomposed = recomposed_of(request)
    tenant = template.tenant if template is not None else tenant_of(request)
    latest: TemplateVersion | None = form.latest
    content = _content(form, recomposed, latest)
    errors = [*(recomposed.errors if recomposed else ()), *getattr(form, "mistakes", ())]
    editor = editor_of(content, tenant.default_locale if tenant else "en", latest, errors)
    own = tester(request, tenant) if tenant else ""
    person = (viewed_recipient(request, tenant) or own or first_recipient(tenant)) if tenant else ""
    active = recomposed.active if recomposed else first_mistake(errors)
    paths = latest.variables if latest else []
    return {
        "editor": replace(editor, can_edit=can_edit),
        "latest": latest,
        "active_channel": active[0] or next((tab.name for tab in editor.tabs), ""),
        "active_locale": active[1],
        "person": person,
        "tester": own,
        "tester_email": getattr(request.user, "email", ""),
        "composer_tenant": tenant,
        "preview": recomposed.shown if recomposed else None,
        "preview_data": recomposed.data if recomposed and recomposed.data else sample_data(paths),
        "reviewed": recomposed.reviewed if recomposed else (),
        "variables": offered(tenant.pk if tenant else None, paths),
        "note_text": recomposed.values.get("note", "") if recomposed else form.data.get("note", ""),
        "show_save_and_add_another": False,
        "show_save_and_continue": False,
    }


def sample_data(paths: Sequence[str]) -> str:
    """Test data for the variables of a template, to be filled in."""
    wanted = data_paths(paths)
    return json_text(placeholders(wanted, {})) if wanted else ""


def first_mistake(errors: Sequence[NotifierError]) -> tuple[str, str]:
    """Channel and locale of the first mistake, which the page opens."""
    for error in errors:
        names = (error.field or "").split(".")
        if len(names) > 1 and names[0] == "content":
            return names[1], names[2] if len(names) > 2 else ""
    return "", ""


def tenant_of(request: HttpRequest) -> Tenant | None:
    """The tenant of a new template: the chosen one, else the only one that the member may edit."""
    tenants = editable_tenants(request, AUTHORS)
    chosen = parse_id(request.POST.get("tenant") or request.GET.get("tenant") or "")
    if chosen is not None:
        tenant: Tenant | None = tenants.filter(pk=chosen).first()
        return tenant
    first = list(tenants[:2])
    return first[0] if len(first) == 1 else None


def preview_context(request: HttpRequest, template: Template) -> dict[str, Any]:
    """Every channel of the newest version as one recipient would get it."""
    latest = template.versions.first()
    values = request.GET
    person_id = (
        trimmed(values.get("recipient", ""))
        or own_recipient(request, template.tenant)
        or first_recipient(template.tenant)
    )
    person = load_person(template.tenant, person_id)
    if person is not None:
        record_read(request, template.tenant_id, person.id, "preview")
    error, shown = "", []
    text = values.get("variables", "").strip() or (sample_data(latest.variables) if latest else "")
    try:
        data = data_of({"preview_data": text})
        if values.get("recipient") and person is None:
            raise InvalidInput("There is no such recipient.", field="recipient")
        content = latest.content if latest else {}
        for channel in content:
            shown.append(
                preview(
                    PreviewRequest(
                        template.tenant, content, channel, "", person, data, layout_of(template),
                        template.category,
                    )
                )
            )  # fmt: skip
    except NotifierError as refused:
        error = refused.message
    return {
        "previews": shown,
        "error": error,
        "recipient": values.get("recipient", person_id),
        "variables": text,
        "latest": latest,
        "page_url": reverse("admin:notifier_template_page"),
    }


def _content(form: Any, recomposed: Recomposed | None, latest: TemplateVersion | None) -> Any:
    if recomposed is not None:
        return recomposed.values["content"]
    if form.is_bound and "content" in form.fields:
        value = form.fields["content"].widget.value_from_datadict(form.data, form.files, "content")
        return shown_content(value or "{}")
    return latest.content if latest else {}


def _active(action: str, post: Any, content: Any) -> tuple[str, str]:
    """Channel and locale that the page shows after a button."""
    verb, _colon, where = action.partition(":")
    channel, _colon, locale = where.partition(":")
    if verb == "add-channel":
        return channel or post.get("add_channel", ""), ""
    if verb == "add-locale":
        typed = post.get(f"add_locale:{channel}", "").strip().lower()
        return channel, next((tag for tag in content.get(channel, {}) if tag.lower() == typed), "")
    if verb == "remove-locale":
        return channel, ""
    if channel in content:
        return channel, locale
    return post.get("channel", ""), post.get("locale", "")
