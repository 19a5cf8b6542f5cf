"""What the ledger holds of a recipient, for the export of a person: requests, and messages with their history.
Registered as exporters (tenants.export)."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from notifier.delivery.ledger.history import load_histories
from notifier.models import Delivery, Notification
from notifier.vocabulary.status import Status
from tenants.export import Row
from tenants.models import Recipient

_REQUEST = (
    "id", "category", "mode", "data", "send_at", "not_after", "group_key", "created_at", "version__template__key",
)  # fmt: skip


def requests(recipient: Recipient, before: uuid.UUID, most: int) -> Sequence[Row]:
    """Requests to reach the recipient, as tenants' servers made them."""
    rows = Notification.objects.filter(tenant_id=recipient.tenant_id, recipient=recipient, id__lt=before)
    listed = rows.order_by("-id").values(*_REQUEST)[:most]
    return [{**row, "template": row.pop("version__template__key")} for row in listed]


def messages(recipient: Recipient, before: uuid.UUID, most: int) -> Sequence[Row]:
    """Messages to the recipient: of requests and of campaigns."""
    rows = Delivery.objects.filter(tenant_id=recipient.tenant_id, recipient_id=recipient.pk, id__lt=before)
    deliveries = list(rows.order_by("-id")[:most])
    histories = load_histories(deliveries) if deliveries else {}
    return [
        {
            "id": delivery.pk,
            "notification": delivery.notification_id,
            "campaign": delivery.campaign_id,
            "category": delivery.category,
            "channel": delivery.channel,
            "address": delivery.address,
            "status": Status(delivery.status).label,
            "reason": delivery.reason,
            "content": delivery.content,
            "accepted_at": delivery.accepted_at,
            "settled_at": delivery.settled_at,
            "history": [step._asdict() for step in histories[delivery.pk]],
        }
        for delivery in deliveries
    ]
