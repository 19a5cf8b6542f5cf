"""Fan-in: a campaign is finished when nothing of it is left to do. One conditional UPDATE, so it happens once."""

from __future__ import annotations

import uuid

import structlog
from django.db import connection, transaction

from notifier.vocabulary import Status
from tenants import audit

log = structlog.get_logger("campaigns")

# both last parts are answered by an index: open shards of a campaign, and the ledger's (campaign, status, channel)
_FINISH = f"""
UPDATE campaigns_campaign c SET state = 'finished', finished_at = now()
WHERE c.id = %s AND c.state = 'running'
  AND NOT EXISTS (SELECT 1 FROM campaigns_shard s WHERE s.campaign_id = c.id AND s.state IN ('armed', 'running'))
  AND NOT EXISTS (SELECT 1 FROM notifier_delivery d WHERE d.campaign_id = c.id
                  AND d.status IN ({Status.ARMED}, {Status.QUEUED}, {Status.CLAIMED}, {Status.SENDING}))
RETURNING c.tenant_id
"""

# what was sent, for the audit log: counts, and one digest over (id, status) of the whole ledger of the campaign
_ACCOUNT = """
SELECT COALESCE(jsonb_object_agg(status, n), '{}'::jsonb),
       encode(sha256(convert_to(COALESCE(string_agg(digest, '' ORDER BY status), ''), 'UTF8')), 'hex')
FROM (SELECT status, count(*) AS n, md5(string_agg(id::text, '' ORDER BY id)) AS digest
      FROM notifier_delivery WHERE campaign_id = %s GROUP BY status) s
"""


def finish_if_done(campaign_id: uuid.UUID) -> bool:
    """True for the one caller that finished it."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_FINISH, [campaign_id])
        row = cursor.fetchone()
        if row is None:
            return False
        cursor.execute(_ACCOUNT, [campaign_id])
        counts, digest = cursor.fetchone()
        audit.record(row[0], "campaign.finished", str(campaign_id), {"counts": counts, "ledger": digest})
    log.info("campaign finished", action="finish", campaign=str(campaign_id))
    return True
