"""/v1/recipients/<external_id>/devices: the push addresses of a recipient."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from django.db import connection
from rest_framework.request import Request
from rest_framework.response import Response

from notifier.api import schema
from notifier.api.base import TenantView
from notifier.api.pagination import OLDEST, page
from notifier.errors import InvalidInput
from notifier.vocabulary import new_id
from tenants import fields
from tenants.access import owned
from tenants.api import shapes
from tenants.api.recipients import TAGS, check_not_erased, find
from tenants.models import Device, Recipient

# One statement: two phones that register the same token at once leave it with one recipient, and nobody fails.
# `xmax = 0` tells an insert from an update. The clock is read when the row is locked: a refusal whose request began
# before then does not kill the device.
_REGISTER = """
INSERT INTO tenants_device AS d (id, tenant_id, recipient_id, platform, token, app, created_at, last_seen_at)
VALUES (%s, %s, %s, %s, %s, %s, now(), clock_timestamp())
ON CONFLICT (tenant_id, platform, app, token) DO UPDATE
  SET recipient_id = excluded.recipient_id, last_seen_at = clock_timestamp(), dead_since = NULL
RETURNING d.id, d.xmax = 0
"""
#: a check of tenants.fields calls them as the CSV does
_FIELD = {"push_platform": "platform", "push_token": "token"}


class Devices(TenantView):
    scope = "recipients"

    @schema.get_list("List a recipient's devices", shapes.DeviceShape, 404, tags=TAGS)
    def get(self, request: Request, external_id: str) -> Response:
        """Dead ones included."""
        rows = Device.objects.filter(recipient=find(self.tenant, external_id))
        return Response(page(request, rows, _shown, OLDEST))

    @schema.post("Register a device", shapes.DeviceInput, shapes.DeviceShape, 404, also=200, tags=TAGS)
    def post(self, request: Request, external_id: str) -> Response:
        """Safe to repeat at every start of the app. A token of somebody else moves here; a dead one lives again."""
        asked = self.read(shapes.DeviceInput)
        recipient = find(self.tenant, external_id)
        check_not_erased(recipient)
        device_id, created = register(recipient, asked["platform"], asked["token"], asked.get("app", ""))
        return Response(_shown([Device.objects.get(pk=device_id)])[0], status=201 if created else 200)


class DeviceOne(TenantView):
    scope = "recipients"

    @schema.describe("Remove a device", status=204, fails=(404,), tags=TAGS)
    def delete(self, request: Request, external_id: str, device_id: uuid.UUID) -> Response:
        """Nothing goes to it from now on, messages that already wait included."""
        rows = Device.objects.filter(recipient=find(self.tenant, external_id))
        owned(rows, self.tenant, pk=device_id).delete()
        return Response(status=204)


def register(recipient: Recipient, platform: str, token: str, app: str) -> tuple[uuid.UUID, bool]:
    """The device's id, and whether it is new."""
    try:
        fields.device(platform, token, app)
    except InvalidInput as error:
        raise InvalidInput(error.message, field=_FIELD.get(error.field or "", error.field)) from None
    with connection.cursor() as cursor:
        cursor.execute(_REGISTER, [new_id(), recipient.tenant_id, recipient.pk, platform, token, app])
        row: tuple[uuid.UUID, bool] = cursor.fetchone()
    return row


def _shown(found: Sequence[Device]) -> list[Any]:
    return [shapes.DeviceShape(device).data for device in found]
