"""/v1/recipients/<external_id>/devices: the push addresses of a recipient."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from notifier.api.framework import schema
from notifier.api.framework.pagination import OLDEST, page
from notifier.api.framework.views import TenantView
from notifier.api.people import shapes
from notifier.api.people.recipients import TAGS, check_not_erased, find
from tenants.access import get_owned
from tenants.models import Device
from tenants.people import devices


class DevicesView(TenantView):
    scope = "recipients"

    @schema.get_list("List a recipient's devices", shapes.DeviceOutput, 404, tags=TAGS)
    def get(self, request: Request, external_id: str) -> Response:
        """Dead devices are included."""
        rows = Device.objects.filter(recipient=find(self.tenant, external_id))
        return Response(page(request, rows, _shown, OLDEST))

    @schema.post("Register a device", shapes.DeviceInput, shapes.DeviceOutput, 404, also=200, tags=TAGS)
    def post(self, request: Request, external_id: str) -> Response:
        """Safe to repeat at every start of the app. A token of another recipient moves to this one; a dead token lives
        again."""
        values = self.read(shapes.DeviceInput)
        recipient = find(self.tenant, external_id)
        check_not_erased(recipient)
        device_id, created = devices.register(
            recipient, values["platform"], values["token"], values.get("app"), values.get("timezone")
        )
        return Response(_shown([Device.objects.get(pk=device_id)])[0], status=201 if created else 200)


class DeviceView(TenantView):
    scope = "recipients"

    @schema.describe("Remove a device", status=204, fails=(404,), tags=TAGS)
    def delete(self, request: Request, external_id: str, device_id: uuid.UUID) -> Response:
        """Nothing is sent to the device from now on, including messages that already wait."""
        rows = Device.objects.filter(recipient=find(self.tenant, external_id))
        get_owned(rows, self.tenant, pk=device_id).delete()
        return Response(status=204)


def _shown(listed: Sequence[Device]) -> list[Any]:
    return [shapes.DeviceOutput(device).data for device in listed]
