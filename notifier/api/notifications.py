"""/v1/notifications: send one or many, and read what became of them."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response

from notifier.api import shapes
from notifier.api.framework import schema
from notifier.api.framework.pagination import page
from notifier.api.framework.views import TenantView
from notifier.api.notification_bodies import accepted_answer, bulk_answer, read_item, read_items, read_request
from notifier.channels import channels
from notifier.delivery import accept
from notifier.delivery.content.attachments.listing import MAX_BODY
from notifier.delivery.ledger.history import Step, load_histories, not_before
from notifier.delivery.routes.show import show_steps
from notifier.errors import NotifierError
from notifier.models import Delivery, Notification
from notifier.rates import limits
from notifier.values.trim import trimmed
from notifier.vocabulary.people import SendRequest
from notifier.vocabulary.status import Status
from tenants.access import get_owned
from tenants.models import Recipient, Tenant

TAGS = ["notifications"]
_SEND: dict[str, Any] = {"recipient": "ana-7", "template": "order-shipped", "data": {"order": "4711"}}
EXAMPLES = [
    OpenApiExample("At once, on every channel of the template", _SEND, request_only=True),
    OpenApiExample(
        "Later, on push only, and never stale",
        {
            **_SEND,
            "channels": ["push"],
            "send_at": "2030-01-31T09:00:00+01:00",
            "not_after": "2030-01-31T12:00:00+01:00",
        },
        request_only=True,
    ),
    OpenApiExample(
        "Gathered with others of the same key into one message",
        {**_SEND, "digest": {"key": "orders-of-ana", "template": "order-summary", "window": "10m"}},
        request_only=True,
    ),
]
BULK_EXAMPLES = [
    OpenApiExample("Two", {"items": [_SEND, {**_SEND, "recipient": "ben-8"}]}, request_only=True),
]


class NotificationsView(TenantView):
    """`notifier.api.direct` answers most POSTs without this view."""

    scope = "send"
    reads_replica = True
    max_body = MAX_BODY

    @schema.post(
        "Send a notification",
        shapes.NotificationInput,
        shapes.AcceptedOutput,
        429,
        status=202,
        tags=TAGS,
        examples=EXAMPLES,
    )
    def post(self, request: Request) -> Response:
        """The message of each channel is sent by itself; read its state under `id`. Messages of a test key stay in the
        sandbox."""
        asked = read_request(request.data, self.caller)
        limits.take_recipients(self.caller.key_id, 1)
        outcome = accept(self.tenant_id, [asked])[0]
        if isinstance(outcome, NotifierError):
            raise outcome
        return Response(accepted_answer(outcome), status=202)

    @schema.get_list(
        "List notifications, newest first",
        shapes.NotificationOutput,
        404,
        tags=TAGS,
        parameters=[OpenApiParameter("recipient", str, description="Only those to this recipient.")],
    )
    def get(self, request: Request) -> Response:
        """The deliveries come without their histories."""
        rows = _notifications(self.tenant_id)
        if (external_id := request.query_params.get("recipient")) is not None:
            rows = rows.filter(
                recipient=get_owned(Recipient.objects.all(), self.tenant, external_id=trimmed(external_id))
            )
        return Response(page(request, rows, lambda listed: [_shown(n, d) for n, d in with_deliveries(listed)]))


class NotificationsBulkView(TenantView):
    scope = "send"

    @schema.post(
        "Send up to 1,000 notifications",
        shapes.NotificationsBulkInput,
        shapes.NotificationsBulkOutput,
        status=202,
        also=207,
        tags=TAGS,
        examples=BULK_EXAMPLES,
    )
    def post(self, request: Request) -> Response:
        """Each item is accepted or refused by itself. 202: all items were accepted; 207: see the `status` of each
        item."""
        attempts = [read_item(item, self.caller) for item in read_items(request.data)]
        limits.take_recipients(self.caller.key_id, len(attempts))
        accepted = iter(accept(self.tenant_id, [a for a in attempts if isinstance(a, SendRequest)]))
        status, content = bulk_answer([next(accepted) if isinstance(a, SendRequest) else a for a in attempts])
        return Response(content, status=status)


class NotificationView(TenantView):
    scope = "send"

    @schema.describe("Ask what happened to a notification", gives=shapes.NotificationOutput, fails=(404,), tags=TAGS)
    def get(self, request: Request, notification_id: uuid.UUID) -> Response:
        """Every delivery with its status and history."""
        return Response(show_one(find(self.tenant, notification_id)))


def find(tenant: Tenant, notification_id: uuid.UUID) -> Notification:
    """The tenant's notification. Raises NotFound."""
    notification: Notification = get_owned(_notifications(tenant.pk), tenant, pk=notification_id)
    return notification


def show_one(notification: Notification) -> dict[str, Any]:
    """A notification with its deliveries and their histories."""
    (_, deliveries), = with_deliveries([notification])  # fmt: skip
    return _shown(notification, deliveries, load_histories(deliveries))


def _notifications(tenant_id: uuid.UUID) -> Any:
    return Notification.objects.filter(tenant_id=tenant_id).select_related("recipient", "version__template", "route")


def with_deliveries(notifications: Sequence[Notification]) -> list[tuple[Notification, list[Delivery]]]:
    """Each notification with its deliveries, in the order of their ids."""
    if not notifications:
        return []
    ids = [n.pk for n in notifications]
    by_notification: defaultdict[uuid.UUID | None, list[Delivery]] = defaultdict(list)
    for delivery in Delivery.objects.filter(notification_id__in=ids, pk__gte=not_before(ids)):
        by_notification[delivery.notification_id].append(delivery)
    return [(n, sorted(by_notification[n.pk], key=lambda d: d.pk)) for n in notifications]


def _shown(
    notification: Notification,
    deliveries: Sequence[Delivery],
    steps: Mapping[uuid.UUID, Sequence[Step]] | None = None,
) -> dict[str, Any]:
    return {
        "id": notification.pk,
        "recipient": notification.recipient.external_id,
        "template": notification.version.template.key,
        "version": notification.version.number,
        "category": notification.category,
        "mode": notification.mode,
        "data": notification.data,
        "send_at": notification.send_at,
        "not_after": notification.not_after,
        "group_key": notification.group_key,
        "created_at": notification.created_at,
        "steps": show_steps(notification, deliveries, datetime.now(UTC)),
        "deliveries": [_delivery(d, steps) for d in deliveries],
    }


def _delivery(delivery: Delivery, steps: Mapping[uuid.UUID, Sequence[Step]] | None) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": delivery.pk,
        "channel": delivery.channel,
        "platform": delivery.platform,
        "status": Status(delivery.status).label,
        "reason": delivery.reason,
        "detail": delivery.detail,
        "attempts": delivery.attempt,
        "settled_at": delivery.settled_at,
    }
    kind = channels().get(delivery.channel)
    if kind is not None and kind.segmented and delivery.content:
        shown["segments"] = kind.segments(delivery.content)
    return shown if steps is None else {**shown, "history": [step._asdict() for step in steps[delivery.pk]]}
