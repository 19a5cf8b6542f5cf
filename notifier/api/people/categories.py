"""/v1/categories: the kinds of notification that a recipient can turn off."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from notifier.api.framework import schema
from notifier.api.framework.pagination import Order, page
from notifier.api.framework.views import TenantView
from notifier.api.people import shapes
from tenants import audit, categories
from tenants.access import get_owned
from tenants.models import Category

TAGS = ["categories"]


class CategoriesView(TenantView):
    scope = "recipients"

    @schema.get_list("List categories", shapes.CategoryOutput, tags=TAGS)
    def get(self, request: Request) -> Response:
        """By key."""
        return Response(page(request, Category.objects.filter(tenant_id=self.tenant_id), _shown, Order("key")))

    @schema.post("Create a category", shapes.CategoryInput, shapes.CategoryOutput, tags=TAGS)
    def post(self, request: Request) -> Response:
        """The kind decides whether preferences and quiet hours hold messages back."""
        values = self.read(shapes.CategoryInput)
        category = categories.create(self.tenant_id, values)
        detail = {"key": category.key, "kind": category.kind}
        audit.record(self.tenant_id, "category.create", category.pk, detail, by=self.actor)
        return Response(_shown([category])[0], status=201)


class CategoryView(TenantView):
    scope = "recipients"

    @schema.describe("Read a category", gives=shapes.CategoryOutput, fails=(404,), tags=TAGS)
    def get(self, request: Request, key: str) -> Response:
        """By its key."""
        return Response(_shown([self._find(key)])[0])

    @schema.describe(
        "Rename, archive or restore a category, or change its kind",
        takes=shapes.CategoryPatch,
        gives=shapes.CategoryOutput,
        fails=(400, 404, 409, 413, 415),
        tags=TAGS,
    )
    def patch(self, request: Request, key: str) -> Response:
        """No new template, campaign or request may use an archived category. Those that use it already continue, and
        every opt-out from it holds. The key never changes, because recipients' preferences name it."""
        values = self.read(shapes.CategoryPatch)
        category = categories.change(self._find(key), values)
        self._audit("change", category, fields=sorted(values))
        return Response(_shown([category])[0])

    @schema.describe("Delete a category that nothing uses", status=204, fails=(404, 409), tags=TAGS)
    def delete(self, request: Request, key: str) -> Response:
        """Every opt-out from it is kept, and holds again if a category with this key is created later."""
        category = self._find(key)
        categories.delete(category)
        self._audit("delete", category)
        return Response(status=204)

    def _find(self, key: str) -> Category:
        return get_owned(Category.objects.all(), self.tenant, key=key)

    def _audit(self, verb: str, category: Category, **detail: Any) -> None:
        more = {"key": category.key, **detail}
        audit.record(self.tenant_id, f"category.{verb}", category.pk, more, by=self.actor)


def _shown(listed: Sequence[Category]) -> list[Any]:
    return [shapes.CategoryOutput(category).data for category in listed]
