"""/v1/categories/<key>/digest: how the messages of a category are gathered into one."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample
from rest_framework.request import Request
from rest_framework.response import Response

from notifier.api.framework import schema
from notifier.api.framework.views import TenantView
from notifier.api.people import shapes
from notifier.api.people.categories import TAGS
from notifier.delivery.digests.settings import delete_setting, setting_of, write_setting
from notifier.models import DigestSetting
from tenants import audit
from tenants.access import get_owned
from tenants.models import Category

EXAMPLES = [
    OpenApiExample(
        "Ten minutes after the newest item, an hour after the first at the latest",
        {"template": "order-summary", "window": "10m", "max_window": "1h"},
        request_only=True,
    ),
    OpenApiExample(
        "Every morning", {"template": "order-summary", "schedule": "daily at 09:00", "max_items": 20}, request_only=True
    ),
]


class CategoryDigestView(TenantView):
    scope = "recipients"

    @schema.describe(
        "Read the digest of a category",
        gives=shapes.DigestSettingOutput,
        fails=(404,),
        tags=TAGS,
        operation_id="category_digest_retrieve",
    )
    def get(self, request: Request, key: str) -> Response:
        """404 when its messages are not gathered."""
        return Response(_shown(setting_of(self._category(key))))

    @schema.put(
        "Gather the messages of a category",
        shapes.DigestSettingInput,
        shapes.DigestSettingOutput,
        404,
        also=201,
        tags=TAGS,
        examples=EXAMPLES,
        operation_id="category_digest_update",
    )
    def put(self, request: Request, key: str) -> Response:
        """Replaces the whole setting. Open digests take it over with their next item."""
        category = self._category(key)
        setting, created = write_setting(category, self.read(shapes.DigestSettingInput))
        audit.record(self.tenant_id, "digest.write", setting.pk, {"category": key}, by=self.actor)
        return Response(_shown(setting), status=201 if created else 200)

    @schema.describe(
        "Let the messages of a category leave one by one",
        status=204,
        fails=(404, 409),
        tags=TAGS,
        operation_id="category_digest_destroy",
    )
    def delete(self, request: Request, key: str) -> Response:
        """Open digests still leave. 409 `digest_in_use` while the category's over_cap is digest."""
        setting = setting_of(self._category(key))
        audit.record(self.tenant_id, "digest.delete", setting.pk, {"category": key}, by=self.actor)
        delete_setting(setting)
        return Response(status=204)

    def _category(self, key: str) -> Category:
        return get_owned(Category.objects.all(), self.tenant, key=key)


def _shown(setting: DigestSetting) -> dict[str, Any]:
    return {
        "template": setting.template.key,
        "window": setting.window,
        "max_window": setting.max_window,
        "schedule": setting.schedule,
        "max_items": setting.max_items,
        "channels": setting.channels,
    }
