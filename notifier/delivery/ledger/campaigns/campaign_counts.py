"""The SQL of reports on a campaign's rows in the ledger. The statements take the parameters tenant, campaign, low and
high (the campaign's range of ids, so that PostgreSQL opens one partition)."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import NamedTuple

import orjson
from django.db import connection

from notifier.vocabulary.status import TAKEN, Reason, Status

_OF_CAMPAIGN = "tenant_id = %(tenant)s AND campaign_id = %(campaign)s AND id >= %(low)s AND id < %(high)s"

#: channel, status, reason, how many; without the rows that are still in a shard
BY_REASON = f"""
SELECT channel, status, reason, count(*) AS count FROM notifier_delivery
WHERE {_OF_CAMPAIGN} AND status <> {Status.ARMED} GROUP BY 1, 2, 3
"""

#: channel, milliseconds from %(launched)s to the end, of each row whose status is one of %(went_out)s
MILLISECONDS = f"""
SELECT channel, greatest(0, extract(epoch FROM settled_at - %(launched)s) * 1000)::bigint AS ms
FROM notifier_delivery WHERE {_OF_CAMPAIGN} AND status = ANY(%(went_out)s)
"""

#: the same of a campaign in waves, from the last of the ascending times %(waves)s that had come. Exact where a wave has
#: left before the next one is due
MILLISECONDS_IN_WAVES = f"""
SELECT channel, greatest(0, extract(epoch FROM settled_at
  - (%(waves)s::timestamptz[])[greatest(1, width_bucket(settled_at, %(waves)s::timestamptz[]))]) * 1000)::bigint AS ms
FROM notifier_delivery WHERE {_OF_CAMPAIGN} AND status = ANY(%(went_out)s)
"""

#: channel, status, how many; only of rows that shards requeued, or that were retried: no other row of a campaign has a
#: fence
REQUEUED = f"""
SELECT channel, status, count(*) FROM notifier_delivery
WHERE {_OF_CAMPAIGN} AND status <> {Status.ARMED} AND fence > 0 GROUP BY 1, 2
"""

#: channel, reason, how many; of rows that failed, expired or are in doubt
FAILED_BY_REASON = f"""
SELECT channel, reason, count(*) AS count FROM notifier_delivery
WHERE {_OF_CAMPAIGN} AND status IN ({Status.FAILED}, {Status.EXPIRED}, {Status.UNKNOWN}) GROUP BY 1, 2
"""

# what sending ended with: a status that receipts move on counts as SENT, whenever they come
_SENDING_ENDED_WITH = f"""
CASE WHEN status IN ({", ".join(str(int(status)) for status in TAKEN)}) OR reason = '{Reason.UNDELIVERED}'
     THEN {Status.SENT} ELSE status END
"""
_DIGEST = f"""
SELECT COALESCE(jsonb_object_agg(status, n), '{{}}'::jsonb),
       encode(sha256(convert_to(COALESCE(string_agg(digest, '' ORDER BY status), ''), 'UTF8')), 'hex')
FROM (SELECT {_SENDING_ENDED_WITH} AS status, count(*) AS n, md5(string_agg(id::text, '' ORDER BY id)) AS digest
      FROM notifier_delivery WHERE campaign_id = %s GROUP BY 1) s
"""


class FailedRow(NamedTuple):
    """A message that failed, with the recipient's id at the tenant; without its address."""

    id: uuid.UUID
    external_id: str
    channel: str
    platform: str
    status: int
    reason: str
    detail: str
    settled_at: datetime | None


_FAILED_PAGE = f"""
SELECT d.id, COALESCE(r.external_id, ''), d.channel, d.platform, d.status, d.reason, d.detail, d.settled_at
FROM (SELECT * FROM notifier_delivery
      WHERE {_OF_CAMPAIGN} AND status IN ({Status.FAILED}, {Status.EXPIRED}, {Status.UNKNOWN})
        AND (id > %(low)s OR %(first)s) ORDER BY id LIMIT %(limit)s) d
LEFT JOIN tenants_recipient r ON r.id = d.recipient_id ORDER BY d.id
"""


def failed_page(
    tenant_id: uuid.UUID, campaign_id: uuid.UUID, ids: tuple[uuid.UUID, uuid.UUID], limit: int, *, with_first: bool
) -> list[FailedRow]:
    """The failed messages after the first of these ids (`with_first`: and with it), in the order of their ids."""
    values = {"tenant": tenant_id, "campaign": campaign_id, "low": ids[0], "high": ids[1]}
    with connection.cursor() as cursor:
        cursor.execute(_FAILED_PAGE, {**values, "limit": limit, "first": with_first})
        return [FailedRow._make(row) for row in cursor.fetchall()]


def count_and_hash(campaign_id: uuid.UUID) -> tuple[dict[str, int], str]:
    """Counts by the label of the status that sending ended with, and one hash over (id, that status) of all rows of
    the campaign. Receipts change neither, but for a message in doubt that a receipt settles."""
    with connection.cursor() as cursor:
        cursor.execute(_DIGEST, [campaign_id])
        counts, sha256 = cursor.fetchone()
    return {Status(int(status)).label: count for status, count in orjson.loads(counts).items()}, sha256
