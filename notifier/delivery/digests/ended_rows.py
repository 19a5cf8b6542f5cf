"""End rows of the ledger that waited for a digest. They are in no ordering queue, so no turn is passed on."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, NamedTuple

from notifier.delivery.infra import bulk
from notifier.delivery.webhooks import deliveries as webhooks
from notifier.vocabulary.status import QueuePosition, Reason, Status


class EndedRow(NamedTuple):
    """How one row ends."""

    id: Annotated[uuid.UUID, "uuid"]
    status: Annotated[Status, "smallint"]
    reason: Annotated[Reason, "text"]
    detail: Annotated[str, "text"]


_COLUMNS = bulk.columns_of(EndedRow)
_END = f"""
UPDATE notifier_delivery d SET status = u.status, reason = u.reason, detail = u.detail, settled_at = %s,
  fence = d.fence + 1
FROM {bulk.unnest("u", _COLUMNS)}
WHERE d.id = u.id AND d.id >= %s AND d.status = {Status.QUEUED} AND d.queue_position = {QueuePosition.IN_DIGEST}
RETURNING d.tenant_id, d.id
"""


def end_rows(rows: Sequence[EndedRow], now: datetime) -> None:
    """End the rows that still wait for their digest."""
    if rows:
        with bulk.cursor() as cursor:
            cursor.execute(_END, [now, *bulk.by_column(_COLUMNS, rows), min(row.id for row in rows)])
            ended = cursor.fetchall()
        webhooks.ended_of_tenants(ended)
