"""What receipts make webhooks tell: each status that a message has reached, once."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import transaction

from notifier.delivery.receipts.apply import Source, apply_events
from notifier.models import Delivery, WebhookSpool
from notifier.vocabulary.receipts import EventKind as K
from notifier.vocabulary.receipts import ReceiptEvent
from notifier.vocabulary.status import Status
from tests.delivery.build import a_shop, an_order
from tests.webhooks.conftest import an_endpoint

S = Status


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("before", "reports", "expected"),
    [
        ((S.UNKNOWN, "in_doubt"), [(K.SENT, {})], [("sent", "sent")]),
        ((S.UNKNOWN, "in_doubt"), [(K.DEFERRED, {}), (K.SENT, {})], [("sent", "sent")]),
        (
            (S.UNKNOWN, "in_doubt"),
            [(K.SENT, {}), (K.DELIVERED, {})],
            [("sent", "sent"), ("delivered", "delivered")],
        ),
        ((S.SENT, ""), [(K.SENT, {}), (K.DEFERRED, {})], []),
        ((S.SENT, ""), [(K.OPENED, {"machine": True})], [("delivered", "delivered")]),
        (
            (S.SENT, ""),
            [(K.CLICKED, {"machine": True}), (K.OPENED, {})],
            [("delivered", "delivered"), ("opened", "opened")],
        ),
        ((S.SENT, ""), [(K.UNSUBSCRIBED, {})], [("delivered", "delivered")]),
        ((S.SENT, ""), [(K.FAILED, {})], [("failed", "failed")]),
        ((S.SENT, ""), [(K.FAILED, {}), (K.DELIVERED, {})], [("failed", "failed"), ("delivered", "delivered")]),
        ((S.DELIVERED, ""), [(K.FAILED, {})], []),
        (
            (S.SENT, ""),
            [(K.BOUNCED, {}), (K.BOUNCED, {"permanent": True})],
            [("bounced", "bounced"), ("bounced", "bounced")],
        ),
        ((S.OPENED, ""), [(K.BOUNCED, {})], [("bounced", "opened")]),
    ],
)
def test_each_status_that_a_report_moves_a_message_to_is_told_once(
    before: tuple[Status, str], reports: list[tuple[K, dict[str, Any]]], expected: list[tuple[str, str]]
) -> None:
    shop = a_shop()
    shop.recipient("ada")
    shop.accept(an_order())
    [delivery] = shop.deliveries()
    status, reason = before
    Delivery.objects.filter(pk=delivery.pk).update(status=status, reason=reason, settled_at=datetime.now(UTC))
    an_endpoint(shop.tenant, "https://hooks.example.com/x", event_types=["delivery.*"])
    for kind, values in reports:
        event = ReceiptEvent(kind, delivery_id=delivery.pk, at=datetime.now(UTC), **values)
        for _ in range(2):  # a repeat tells nothing
            with transaction.atomic():
                apply_events(Source(shop.tenant.pk, "in_app"), [event])
    told = [event for events in WebhookSpool.objects.order_by("created_at").values_list("events", flat=True)
            for event in events]  # fmt: skip
    assert [(e["type"].removeprefix("delivery."), e["data"]["status"]) for e in told] == expected
