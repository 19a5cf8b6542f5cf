"""/v1/notifications: send one or many, and read what became of them."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiParameter
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response

from notifier.api import shapes
from notifier.api.framework import schema
from notifier.api.framework.authentication import ApiCaller
from notifier.api.framework.errors import Problem, problem_of
from notifier.api.framework.pagination import page
from notifier.api.framework.views import TenantView, read
from notifier.channels import channels
from notifier.delivery import Accepted, accept
from notifier.delivery.content.attachments.listing import MAX_BODY, read_list
from notifier.delivery.ledger.history import Step, load_histories, not_before
from notifier.delivery.routes.read_route import read_route
from notifier.delivery.routes.show import show_steps
from notifier.errors import InvalidInput, NotifierError
from notifier.models import Delivery, Notification
from notifier.values.trim import trimmed
from notifier.vocabulary.digests import DigestRequest
from notifier.vocabulary.people import SendRequest
from notifier.vocabulary.routes import Route
from notifier.vocabulary.status import Status
from tenants.access import get_owned
from tenants.models import Recipient, Tenant

TAGS = ["notifications"]
MAX_ITEMS = 1000
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
    scope = "send"
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
        send_request = _request(request.data, self.caller)
        outcome = accept(self.tenant_id, [send_request])[0]
        if isinstance(outcome, NotifierError):
            raise outcome
        return Response(_accepted(outcome), status=202)

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
        attempts = [_attempt(item, self.caller) for item in _items(request.data)]
        outcomes = iter(accept(self.tenant_id, [a for a in attempts if isinstance(a, SendRequest)]))
        items = [_outcome(i, next(outcomes) if isinstance(a, SendRequest) else a) for i, a in enumerate(attempts)]
        accepted = sum(item["status"] == 202 for item in items)
        status = 202 if accepted == len(items) else 207
        return Response({"accepted": accepted, "refused": len(items) - accepted, "items": items}, status=status)


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


def _request(raw: Any, caller: ApiCaller) -> SendRequest:
    values = shapes.validated_quickly(raw) or read(shapes.NotificationInput, raw)
    if "channels" in values:
        values["channels"] = tuple(values["channels"])
    if "route" in values:
        values["route"] = _route(values)
    if "attachments" in values:
        listed = read_list(values["attachments"], caller.tenant_id, "attachments")
        values |= {"attachments": tuple(listed.entries), "files": tuple(listed.files)}
    if "digest" in values:
        values["digest"] = DigestRequest(**values["digest"])
    return SendRequest(**values, mode=caller.mode)


def _route(values: Mapping[str, Any]) -> Route:
    route = read_route([] if values["route"] is None else values["route"])
    if route and "channels" in values:
        raise InvalidInput("Not beside route, whose steps name the channels.", field="channels", code="two_ways")
    return route


def _items(raw: Any) -> list[Any]:
    items = raw.get("items") if isinstance(raw, dict) else None
    if not isinstance(items, list) or not 1 <= len(items) <= MAX_ITEMS:
        raise InvalidInput(f"Must be a list of 1 to {MAX_ITEMS} notifications.", field="items")
    if unknown := set(raw) - {"items"}:
        raise InvalidInput("Unknown field; known: items.", field=min(unknown)[:100], code="unknown_field")
    return items


def _attempt(item: Any, caller: ApiCaller) -> SendRequest | Problem:
    try:
        return _request(item, caller)
    except (NotifierError, APIException) as error:
        return problem_of(error)


def _outcome(index: int, outcome: Accepted | NotifierError | Problem) -> dict[str, Any]:
    if isinstance(outcome, Accepted):
        return {"index": index, "status": 202, **_accepted(outcome)}
    problem = problem_of(outcome) if isinstance(outcome, NotifierError) else outcome
    return {"index": index, "status": problem.status, "problem": problem.document()}


def _accepted(outcome: Accepted) -> dict[str, Any]:
    deliveries = [
        {"id": d.id, "channel": d.channel, "status": d.status.label}
        | ({"step": d.step} if d.step else {})
        | ({"reason": d.reason} if d.reason else {})
        | ({"segments": d.segments} if d.segments else {})
        for d in outcome.deliveries
    ]
    return {"id": outcome.notification_id, "deliveries": deliveries}


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
