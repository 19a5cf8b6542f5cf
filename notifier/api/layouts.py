"""/v1/layouts: what stands around the content of the tenant's pages."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from django.db import transaction
from drf_spectacular.utils import OpenApiExample
from rest_framework.request import Request
from rest_framework.response import Response

from notifier.api import shapes
from notifier.api.framework import schema
from notifier.api.framework.pagination import Order, page
from notifier.api.framework.views import TenantView
from notifier.delivery.content.publishing.layouts import DEFAULT_LAYOUT, NO_LAYOUT, check_layout
from notifier.errors import Conflict, InvalidInput
from notifier.models import Layout, Template
from tenants import audit
from tenants.access import get_owned
from tenants.models import Tenant

TAGS = ["templates"]
EXAMPLES = [
    OpenApiExample(
        "A page in HTML",
        {
            "html": "<html><body>{{ content }}<p>{{ postal_address }}</p></body></html>",
            "postal_address": "Acme Ltd, 1 Main Street, Vienna",
            "default": True,
        },
        request_only=True,
    )
]
_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")


class LayoutsView(TenantView):
    scope = "campaigns"

    @schema.get_list("List layouts", shapes.LayoutOutput, tags=TAGS)
    def get(self, request: Request) -> Response:
        """By key."""
        return Response(page(request, Layout.objects.filter(tenant_id=self.tenant_id), _shown, Order("key")))


class LayoutView(TenantView):
    scope = "campaigns"

    @schema.describe("Read a layout", gives=shapes.LayoutOutput, fails=(404,), tags=TAGS)
    def get(self, request: Request, key: str) -> Response:
        """As it is now; a published template keeps the layout that it was published with."""
        return Response(_shown([get_owned(Layout.objects.all(), self.tenant, key=key)])[0])

    @schema.put("Write a layout", shapes.LayoutInput, shapes.LayoutOutput, also=201, tags=TAGS, examples=EXAMPLES)
    def put(self, request: Request, key: str) -> Response:
        """Create or change it. Templates get the change when they are published again."""
        if not _KEY.match(key) or key in (DEFAULT_LAYOUT, NO_LAYOUT):
            raise InvalidInput(
                f"A key is 1 to 64 letters, digits, hyphens and underscores, and neither {DEFAULT_LAYOUT} nor"
                f" {NO_LAYOUT}.",
                field="key",
            )
        layout, created = write_layout(self.tenant, key, self.read(shapes.LayoutInput))
        audit.record(self.tenant_id, "layout.write", layout.pk, {"key": key}, by=self.actor)
        return Response(_shown([layout])[0], status=201 if created else 200)

    @schema.describe("Delete a layout", status=204, fails=(404, 409), tags=TAGS)
    def delete(self, request: Request, key: str) -> Response:
        """Refused while templates name it; published versions do not need it."""
        layout = get_owned(Layout.objects.all(), self.tenant, key=key)
        if template := Template.objects.filter(tenant_id=self.tenant_id, layout=layout).first():
            raise Conflict(f"The template {template.key!r} names this layout; let it name another one first.")
        audit.record(self.tenant_id, "layout.delete", layout.pk, {"key": key}, by=self.actor)
        layout.delete()
        return Response(status=204)


def write_layout(tenant: Tenant, key: str, values: dict[str, Any]) -> tuple[Layout, bool]:
    """Create or change the layout; returns it and whether it is new. Raises InvalidInput, naming the field."""
    with transaction.atomic():
        # the tenant's row keeps two writers from marking two defaults
        Tenant.objects.select_for_update(no_key=True).get(pk=tenant.pk)
        stored = Layout.objects.filter(tenant=tenant, key=key).first()
        layout = stored or Layout(tenant=tenant, key=key)
        for name in ("html", "text", "postal_address"):
            setattr(layout, name, values.get(name, getattr(layout, name)))
        layout.is_default = values.get("default", layout.is_default)
        check_layout(layout)
        if layout.is_default:
            Layout.objects.filter(tenant=tenant, is_default=True).exclude(pk=layout.pk).update(is_default=False)
        layout.save()
    return layout, stored is None


def _shown(listed: Sequence[Layout]) -> list[Any]:
    return [
        {
            "key": layout.key,
            "html": layout.html,
            "text": layout.text,
            "postal_address": layout.postal_address,
            "default": layout.is_default,
            "updated_at": layout.updated_at,
        }
        for layout in listed
    ]
