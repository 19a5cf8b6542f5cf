"""/v1/templates: read published templates, publish the next version."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from drf_spectacular.utils import OpenApiExample
from rest_framework.request import Request
from rest_framework.response import Response

from notifier.api import shapes
from notifier.api.framework import schema
from notifier.api.framework.pagination import Order, page
from notifier.api.framework.views import TenantView
from notifier.delivery.content import templates
from notifier.delivery.content.attachments.listing import MAX_BODY
from notifier.delivery.content.publishing.layouts import DEFAULT_LAYOUT, NO_LAYOUT, layout_of
from notifier.delivery.routes.read_route import check_content, read_route
from notifier.errors import InvalidInput
from notifier.models import Layout, Template, TemplateVersion
from notifier.vocabulary.routes import from_json, stored_form
from tenants import audit
from tenants.access import get_owned
from tenants.categories import check_not_archived
from tenants.models import Category

TAGS = ["templates"]
EXAMPLES = [
    OpenApiExample(
        "Push in two languages",
        {
            "name": "Order shipped",
            "content": {
                "push": {
                    "en": {"title": "On its way", "body": "Hi {{ recipient.name }}, order {{ order }} has left."},
                    "de": {"title": "Unterwegs", "body": "Hallo {{ recipient.name }}, {{ order }} ist unterwegs."},
                }
            },
        },
        request_only=True,
    )
]
_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")


class TemplatesView(TenantView):
    scope = "campaigns"
    reads_replica = True

    @schema.get_list("List templates", shapes.TemplateOutput, tags=TAGS)
    def get(self, request: Request) -> Response:
        """Each template comes with the content of its newest version."""
        rows = Template.objects.filter(tenant_id=self.tenant_id, versions__isnull=False).distinct()
        return Response(page(request, rows.select_related("category", "layout"), _shown, Order("key")))


class TemplateView(TenantView):
    scope = "campaigns"
    max_body = MAX_BODY

    @schema.describe("Read a template", gives=shapes.TemplateOutput, fails=(404,), tags=TAGS)
    def get(self, request: Request, key: str) -> Response:
        """Its newest version."""
        rows = Template.objects.filter(versions__isnull=False).distinct().select_related("category", "layout")
        return Response(_shown([get_owned(rows, self.tenant, key=key)])[0])

    @schema.put(
        "Publish a template", shapes.TemplateInput, shapes.TemplateOutput, also=201, tags=TAGS, examples=EXAMPLES
    )
    def put(self, request: Request, key: str) -> Response:
        """Create the template or its next version. The same content again makes no version."""
        if not _KEY.match(key):
            raise InvalidInput("A key is 1 to 64 letters, digits, hyphens and underscores.", field="key")
        values = self.read(shapes.TemplateInput)
        template, created = Template.objects.get_or_create(tenant_id=self.tenant_id, key=key)
        self._describe(template, values)
        latest = template.versions.order_by("-number").first()
        publication = templates.prepare(
            values["content"], template.tenant, layout_of(template), category=template.category
        )
        check_content(from_json(template.route), values["content"])
        if not publication.is_in(latest):
            version = templates.store(template, publication)
            detail = {"key": key, "version": version.number}
            audit.record(self.tenant_id, "template.publish", template.pk, detail, by=self.actor)
        return Response(_shown([template])[0], status=201 if created else 200)

    def _describe(self, template: Template, values: dict[str, Any]) -> None:
        if "category" in values:
            template.category = _category(template, values["category"])
        if "layout" in values:
            template.layout, template.without_layout = _layout(template, values["layout"])
        if "route" in values:
            template.route = stored_form(read_route(values["route"] or []))
        template.name = values.get("name", template.name)
        template.save(update_fields=["name", "category", "layout", "without_layout", "route"])


def _category(template: Template, key: str | None) -> Category | None:
    if key is None:
        return None
    category = Category.objects.filter(tenant_id=template.tenant_id, key=key).first()
    if category is None:
        raise InvalidInput(f"There is no category {key!r}.", field="category", code="unknown_category")
    if category.pk != template.category_id:
        check_not_archived(category, "category")
    return category


def _layout(template: Template, key: str) -> tuple[Layout | None, bool]:
    """The named layout, and whether there shall be none."""
    if key in (DEFAULT_LAYOUT, NO_LAYOUT):
        return None, key == NO_LAYOUT
    layout = Layout.objects.filter(tenant_id=template.tenant_id, key=key).first()
    if layout is None:
        raise InvalidInput(
            f"There is no layout {key!r}; {DEFAULT_LAYOUT!r} is the tenant's default, {NO_LAYOUT!r} is none.",
            field="layout",
            code="unknown_layout",
        )
    return layout, False


def _layout_key(template: Template) -> str:
    if template.without_layout:
        return NO_LAYOUT
    return template.layout.key if template.layout else DEFAULT_LAYOUT


def _shown(listed: Sequence[Template]) -> list[Any]:
    newest = {
        v.template_id: v
        for v in TemplateVersion.objects.filter(template__in=listed)
        .order_by("template_id", "-number")
        .distinct("template_id")
    }
    return [_as_json(template, newest[template.pk]) for template in listed]


def _as_json(template: Template, version: TemplateVersion) -> dict[str, Any]:
    return {
        "key": template.key,
        "name": template.name,
        "category": template.category.key if template.category else None,
        "layout": _layout_key(template),
        "route": template.route,
        "version": version.number,
        "variables": version.variables,
        "content": version.content,
        "created_at": version.created_at,
    }
