"""What the scripts of the template page ask for: mistakes and preview while a person types, recipients by a part of
their name, an address for an uploaded picture, the page of an email in a frame. Nothing of a template is stored."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_GET, require_POST

from notifier.admin.composer.me import own_recipient, remember
from notifier.admin.composer.posted import ContentWidget, shown_content
from notifier.admin.composer.previews import PreviewRequest, first_recipient, load_person, preview
from notifier.admin.composer.variables import data_paths
from notifier.delivery.content import images, mail_frames
from notifier.delivery.content.checking import find_mistakes
from notifier.delivery.content.liquid.mistake_places import line_and_column
from notifier.delivery.content.liquid.text import check_names
from notifier.delivery.content.publishing.layouts import layout_of
from notifier.delivery.content.templates import parse_parts
from notifier.errors import InvalidInput, NotifierError
from notifier.models import Layout, Template
from notifier.values.json_document import check_document
from notifier.values.trim import trimmed
from notifier.vocabulary.ids import parse_id
from notifier.web.csp import HEADER
from tenants.admin.base.json_field import read_json
from tenants.admin.base.visibility import masked, visible_rows
from tenants.admin.person_reads import record_read
from tenants.admin.roles import AUTHORS, editable_tenants, may
from tenants.models import Category, Recipient, Tenant
from tenants.people.search import search_recipients

if TYPE_CHECKING:
    from tenants.admin import TenantModelAdmin as _Page
else:
    _Page = object

#: recipients that a search shows
MOST_PEOPLE = 8


class LiveViews(_Page):
    """Mixin of TemplateAdmin."""

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("live/", wrap(require_POST(self.live_view)), name="notifier_template_live"),
            path("people/", wrap(require_GET(self.people_view)), name="notifier_template_people"),
            path("picture/", wrap(require_POST(self.picture_view)), name="notifier_template_picture"),
            path("page/", wrap(require_POST(xframe_options_sameorigin(self.page_view))), name="notifier_template_page"),
            *super().get_urls(),
        ]

    def live_view(self, request: HttpRequest) -> HttpResponse:
        """The mistakes of the channel and locale that the editor shows, and their preview."""
        tenant, template = self.tenant_and_template(request)
        content = shown_content(ContentWidget().value_from_datadict(request.POST, {}, "content") or "{}")
        try:
            shown = preview_of(request, tenant, template, content)
        except InvalidInput as error:
            return JsonResponse({"error": error.message, "field": error.field}, status=400)
        channel, locale = request.POST.get("channel", ""), request.POST.get("locale", "")
        parts = content.get(channel, {}).get(locale)
        mistakes = [] if parts is None else _mistakes_of(request, tenant, template, channel, locale, parts)
        html = render_to_string("admin/notifier/composer/preview.html", {"preview": shown}, request)
        return JsonResponse({
            "preview": html,
            "mistakes": mistakes,
            "variables": _read_variables(content),
            "locale": shown.own_locale if shown else "",
        })  # fmt: skip

    def people_view(self, request: HttpRequest) -> HttpResponse:
        """Recipients whose id, name, email or phone holds the text."""
        tenant, _template = self.tenant_and_template(request)
        term = trimmed(request.GET.get("q", ""))
        ids = search_recipients(term, tenant.pk, MOST_PEOPLE)
        rows = Recipient.objects.filter(tenant=tenant)
        found = [*rows.filter(external_id=term)[:1], *rows.filter(pk__in=ids).order_by("external_id")]
        people = {
            row.external_id: {
                "id": row.external_id,
                "name": row.name,
                "detail": " · ".join(filter(None, (masked(row.email), row.locale))),
            }
            for row in found
        }
        return JsonResponse({"people": list(people.values())[:MOST_PEOPLE]})

    def picture_view(self, request: HttpRequest) -> HttpResponse:
        """The public address of an uploaded picture."""
        tenant, _template = self.tenant_and_template(request)
        if not may(request, AUTHORS, tenant):
            raise PermissionDenied
        file = request.FILES.get("picture")
        if file is None or file.size is None:
            return JsonResponse({"error": _("Choose a picture.")}, status=400)
        try:
            if file.size > images.MAX_BYTES:
                # not read: an upload to the admin may have 512 MiB
                raise images.too_large(file.size)
            address = images.store(tenant.pk, file.name or "", file.read())
        except NotifierError as error:
            return JsonResponse({"error": error.message}, status=400)
        return JsonResponse({"url": address})

    def page_view(self, request: HttpRequest) -> HttpResponse:
        """The page of an email, for a frame of the preview: the posted HTML under a policy of its own, which runs no
        script, sends no form, and gives the page an origin of its own."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        html = request.POST.get("mail_html", "")[: mail_frames.MOST_CHARACTERS]
        answer = HttpResponse(mail_frames.framed(html, dark=request.POST.get("dark") == "1"))
        answer[HEADER] = mail_frames.POLICY
        answer["Cache-Control"] = "no-store"
        answer["Referrer-Policy"] = "no-referrer"
        return answer

    def tenant_and_template(self, request: HttpRequest) -> tuple[Tenant, Template | None]:
        """Of a request of the page: the template that it edits, or the tenant of a new one."""
        values = request.POST if request.method == "POST" else request.GET
        template_id = parse_id(values.get("template", ""))
        if template_id is not None:
            rows = visible_rows(Template.objects.select_related("tenant", "category", "layout"), request)
            template = rows.filter(pk=template_id).first()
            if template is None or not self.has_view_permission(request, template):
                raise Http404(_("There is no such template."))
            return template.tenant, template
        tenant = editable_tenants(request, AUTHORS).filter(pk=parse_id(values.get("tenant", ""))).first()
        if tenant is None:
            raise Http404(_("There is no such tenant."))
        return tenant, None


def preview_of(request: HttpRequest, tenant: Tenant, template: Template | None, content: Any) -> Any:
    """The preview that the posted form asks for. Raises InvalidInput for test data that no template can read."""
    post = request.POST
    person_id = trimmed(post.get("preview_recipient", ""))
    person = load_person(tenant, person_id)
    if person_id and person is None:
        raise InvalidInput(_("There is no such recipient."), field="preview_recipient")
    if person is not None:
        remember(request, tenant, person_id, chosen=True)
    else:
        person = load_person(tenant, own_recipient(request, tenant) or first_recipient(tenant))
    if person is not None:
        record_read(request, tenant.pk, person.id, "preview")
    layout, category = chosen_setup(request, tenant, template)
    channel = post.get("channel", "") or next(iter(content), "")
    return preview(
        PreviewRequest(
            tenant, content, channel, post.get("locale", ""), person, data_of(post), layout, category
        )
    )  # fmt: skip


def data_of(post: Any) -> dict[str, Any]:
    """The test data of the form. Raises InvalidInput."""
    text = post.get("preview_data", "").strip()
    if not text:
        return {}
    try:
        data = read_json(text)
    except ValueError:
        message = _('The test data is no JSON. It looks like {"order": "4711"}.')
        raise InvalidInput(message, field="preview_data") from None
    if not isinstance(data, dict):
        raise InvalidInput(_('The test data must be an object, such as {"order": "4711"}.'), field="preview_data")
    check_document(data)
    check_names(data, "preview_data")
    return data


def chosen_setup(
    request: HttpRequest, tenant: Tenant, template: Template | None
) -> tuple[Layout | None, Category | None]:
    """Layout and category as the form has them, which may differ from the stored ones."""
    post = request.POST
    if "key" not in post and "layout" not in post and template is not None:
        return layout_of(template), template.category
    layout_id, category_id = parse_id(post.get("layout", "")), parse_id(post.get("category", ""))
    layout = Layout.objects.filter(tenant=tenant, pk=layout_id).first() if layout_id else None
    category = Category.objects.filter(tenant=tenant, pk=category_id).first() if category_id else None
    return layout_of(Template(tenant=tenant, layout=layout, without_layout="without_layout" in post)), category


def _mistakes_of(
    request: HttpRequest, tenant: Tenant, template: Template | None, channel: str, locale: str, parts: Any
) -> list[dict[str, Any]]:
    layout, category = chosen_setup(request, tenant, template)
    if not any(parts.values()):
        return []  # an empty locale is no mistake while it is written; publishing names it
    errors = find_mistakes({channel: {tenant.default_locale: parts}}, tenant, layout, category=category)
    prefix = f"content.{channel}.{tenant.default_locale}"
    return [_mistake_as_json(error, parts, prefix, f"{channel}:{locale}") for error in errors]


def _mistake_as_json(error: NotifierError, parts: Any, prefix: str, where: str) -> dict[str, Any]:
    inner = (error.field or "").removeprefix(prefix).lstrip(".")
    part, _dot, key = inner.partition(".")
    source = parts.get(part, "")
    text = source.get(key, "") if isinstance(source, dict) else source
    place = line_and_column(text, error.at) if isinstance(text, str) and error.at is not None else None
    return {
        "where": f"{where}:{part}" if part else where,
        "key": key,
        "message": error.message,
        "line": place.line if place else None,
        "column": place.column if place else None,
    }


def _read_variables(content: Any) -> list[str]:
    """The roots of the paths that the parts of the content read, as far as they can be parsed."""
    paths: set[str] = set()
    for name, by_locale in content.items():
        for locale, parts in by_locale.items():
            for part, source in parts.items():
                try:
                    texts = parse_parts(name, locale, {part: source}).values()
                except NotifierError:
                    continue
                for text in texts:
                    for each in text.values() if isinstance(text, dict) else [text]:
                        paths.update(each.paths)
    return data_paths(paths)


def json_text(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
