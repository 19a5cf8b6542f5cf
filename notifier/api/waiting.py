"""Cancel and reschedule notifications that have not left."""

from __future__ import annotations

import dataclasses
import uuid
from datetime import UTC, datetime

from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from notifier.api import shapes
from notifier.api.framework import schema
from notifier.api.framework.views import TenantView
from notifier.api.notifications import TAGS, find, show_one
from notifier.delivery import waiting


class CancelView(TenantView):
    scope = "send"

    @schema.post("Cancel a notification", None, shapes.NotificationOutput, 404, status=200, tags=TAGS)
    def post(self, request: Request, notification_id: uuid.UUID) -> Response:
        """What has not left becomes `cancelled` (`by_request`). A message that is being sent stays `sending` in the
        answer: it becomes `sent` if the provider takes it, and `cancelled` where another attempt would follow. 409
        `too_late` when everything has ended."""
        notification = find(self.tenant, notification_id)
        waiting.cancel(notification, self.caller.mode)
        return Response(show_one(notification))


class CancelGroupView(TenantView):
    scope = "send"

    @schema.post(
        "Cancel the notifications of a group",
        shapes.CancelGroupInput,
        shapes.CancelGroupOutput,
        404,
        status=200,
        tags=TAGS,
        operation_id="notifications_group_cancel",
    )
    def post(self, request: Request) -> Response:
        """Up to 10,000 notifications a call."""
        group_key = self.read(shapes.CancelGroupInput)["group_key"]
        return Response(dataclasses.asdict(waiting.cancel_group(self.tenant_id, group_key, self.caller.mode)))


class RescheduleView(TenantView):
    scope = "send"

    @schema.post(
        "Reschedule a notification", shapes.RescheduleInput, shapes.NotificationOutput, 404, status=200, tags=TAGS
    )
    def post(self, request: Request, notification_id: uuid.UUID) -> Response:
        """What has not left, and was not tried, leaves at the new time. 409 `too_late` when there is nothing."""
        notification = find(self.tenant, notification_id)
        times = self.read(shapes.RescheduleInput)
        wrong = shapes.wrong_time(times.get("send_at"), notification.not_after, datetime.now(UTC))
        if wrong:
            raise ValidationError(wrong)
        notification.send_at = waiting.reschedule(
            notification, self.caller.mode, times.get("send_at"), times.get("send_at_local")
        )
        return Response(show_one(notification))
