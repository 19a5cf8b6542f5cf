"""What keeps a message, whether it would go alone or with its month."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from notifier.models import DeadLetter, Delivery, Notification, Route
from notifier.vocabulary.status import Status

#: name -> makes the row one that must stay
HOLDERS_OF_ANY_ROW: dict[str, Callable[[Delivery], Any]] = {
    "queued": lambda row: Delivery.objects.filter(pk=row.pk).update(status=Status.QUEUED, settled_at=None),
    "dead letter": lambda row: DeadLetter.objects.create(
        tenant_id=row.tenant_id, delivery=row, channel="in_app", attempts=1, last_error="no"
    ),
    "route under way": lambda row: Route.objects.create(
        tenant_id=row.tenant_id,
        notification=Notification.objects.get(deliveries=row),
        steps=[],
        due_at=datetime.now(UTC),
    ),
}
