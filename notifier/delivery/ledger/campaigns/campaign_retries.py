"""The SQL of retrying what failed of a campaign: which messages may be tried again, and queueing them.

May be tried again: a message that failed for good at Notifier (its attempts were exhausted, its account was not set up,
no account sent it), whose content is kept. Not: a message that the provider refused or could not deliver, and never a
message in doubt, which may have arrived.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from notifier.channels.queues import queue_of
from notifier.delivery.infra import bulk
from notifier.delivery.ledger import history
from notifier.delivery.ledger.campaigns.campaign_rows import IdRange
from notifier.delivery.wakeup import signal
from notifier.vocabulary.ids import new_id
from notifier.vocabulary.status import Lane, QueuePosition, Status

# the index of campaigns finds the failed rows; those with an earlier attempt in doubt are UNKNOWN
_RETRYABLE = f"""
FROM notifier_delivery d JOIN notifier_deadletter l ON l.delivery_id = d.id AND l.redriven_at IS NULL
WHERE d.tenant_id = %(tenant)s AND d.campaign_id = %(campaign)s AND d.id >= %(low)s AND d.id < %(high)s
  AND d.status = {Status.FAILED} AND d.content IS NOT NULL AND d.settled_at < %(before)s
"""
_COUNT = f"SELECT d.channel, count(*) {_RETRYABLE} GROUP BY 1 ORDER BY 1"
# the row's lock and the dead letter's mark: of two processes one queues the row
_REVIVE = f"""
WITH failed AS (
  SELECT d.id, d.fence, d.settled_at, d.reason, d.detail {_RETRYABLE}
  ORDER BY d.id LIMIT %(limit)s FOR UPDATE OF d SKIP LOCKED
), revived AS (
  UPDATE notifier_delivery d SET status = {Status.QUEUED}, reason = '', detail = '', attempt = 0, due_at = now(),
    settled_at = NULL, lease_until = NULL, queue_position = {QueuePosition.HAS_TURN}, fence = d.fence + 1
  FROM failed f WHERE d.id = f.id AND d.id >= %(low)s AND d.id < %(high)s
  RETURNING d.id, d.channel, f.fence = 0, f.settled_at, COALESCE(NULLIF(f.detail, ''), f.reason)
), marked AS (
  UPDATE notifier_deadletter l SET redriven_at = now() FROM revived r WHERE l.delivery_id = r.id
)
SELECT * FROM revived
"""


def count_retryable(tenant_id: uuid.UUID, campaign_id: uuid.UUID, ids: IdRange, before: datetime) -> dict[str, int]:
    """Channel -> messages that had failed before this time and may be tried again."""
    with bulk.cursor() as cursor:
        cursor.execute(_COUNT, _values(tenant_id, campaign_id, ids, before))
        return dict(cursor.fetchall())


def revive(
    tenant_id: uuid.UUID, campaign_id: uuid.UUID, ids: IdRange, before: datetime, limit: int
) -> tuple[int, Counter[str]]:
    """Queue up to `limit` of them again; returns how many, and by channel those that no other attempt was made of since
    their shard ended. Needs an open transaction. Consent is checked again before each leaves."""
    with bulk.cursor() as cursor:
        cursor.execute(_REVIVE, {**_values(tenant_id, campaign_id, ids, before), "limit": limit})
        rows = list(cursor.fetchall())
    steps = [
        history.EventRow(new_id(), tenant_id, delivery_id, what, detail, at)
        for delivery_id, _, _, settled_at, why in rows
        for what, detail, at in ((Status.FAILED.label, why, settled_at), ("redriven", "", before))
    ]
    history.add_events(steps)
    return len(rows), Counter(channel for _, channel, of_shard, _, _ in rows if of_shard)


def notify_queues(channels: Mapping[str, int]) -> None:
    """Wake the workers that send these channels' campaigns."""
    signal.notify({queue_of(channel, Lane.BULK) for channel in channels})


def _values(tenant_id: uuid.UUID, campaign_id: uuid.UUID, ids: IdRange, before: datetime) -> dict[str, Any]:
    return {"tenant": tenant_id, "campaign": campaign_id, "low": ids[0], "high": ids[1], "before": before}
