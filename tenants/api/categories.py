"""/v1/categories: the kinds of notification that a recipient can turn off."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from notifier.api import schema
from notifier.api.base import TenantView
from notifier.api.pagination import Order, page
from notifier.errors import Conflict
from tenants import audit
from tenants.api import shapes
from tenants.models import Category

TAGS = ["categories"]


class Categories(TenantView):
    scope = "recipients"

    @schema.get_list("List categories", shapes.CategoryShape, tags=TAGS)
    def get(self, request: Request) -> Response:
        """By key."""
        return Response(page(request, Category.objects.filter(tenant_id=self.tenant_id), _shown, Order("key")))

    @schema.post("Create a category", shapes.CategoryInput, shapes.CategoryShape, tags=TAGS)
    def post(self, request: Request) -> Response:
        """Its kind decides what may hold a message back."""
        asked = self.read(shapes.CategoryInput)
        category, created = Category.objects.get_or_create(
            tenant_id=self.tenant_id, key=asked["key"], defaults={"name": asked["name"], "kind": asked["kind"]}
        )
        if not created:
            raise Conflict(f"There is a category {category.key!r} already.", field="key", code="exists")
        detail = {"key": category.key, "kind": category.kind}
        audit.record(self.tenant_id, "category.create", category.pk, detail, api_key_id=self.caller.key_id)
        return Response(_shown([category])[0], status=201)


def _shown(found: Sequence[Category]) -> list[Any]:
    return [shapes.CategoryShape(category).data for category in found]
