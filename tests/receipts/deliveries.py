"""Deliveries of an account, as sending left them."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from notifier.models import Delivery, ProviderAccount
from notifier.vocabulary.ids import new_id
from notifier.vocabulary.status import Lane, Mode, Status

NOW = datetime.now(UTC)


def a_delivery(account: ProviderAccount, status: Status = Status.SENT, **values: Any) -> Delivery:
    defaults: dict[str, Any] = {
        "recipient_id": new_id(),
        "channel": account.channel,
        "address": f"{uuid.uuid4().hex[:8]}@mail.example",
        "account_id": account.pk,
        "lane": Lane.TRANSACTIONAL,
        "mode": Mode.TEST,
        "due_at": NOW,
        "accepted_at": NOW,
        "settled_at": NOW,
    }
    return Delivery.objects.create(tenant=account.tenant, status=status, **{**defaults, **values})


def status_of(delivery: Delivery) -> str:
    """The status as it is now, with its reason."""
    delivery.refresh_from_db()
    return f"{Status(delivery.status).label} {delivery.reason}".strip()
