"""Fan-in: a campaign is finished when nothing of it is left to do. One conditional UPDATE, so it happens once."""

from __future__ import annotations

import uuid

import structlog
from django.db import connection

from notifier.channels.queues import BATCH
from notifier.delivery.ledger import campaign_rows
from notifier.tasks import post

log = structlog.get_logger("campaigns")

# Both parts are answered by an index: open shards of a campaign, and the ledger's unfinished rows of it. Rows of shards
# stay ARMED in the ledger until accounting copies their outcomes.
_FINISH = f"""
UPDATE campaigns_campaign c SET state = 'finished', finished_at = clock_timestamp()
WHERE c.id = %s AND c.state = 'running'
  AND NOT EXISTS (SELECT 1 FROM campaigns_shard s WHERE s.campaign_id = c.id AND s.state IN ('armed', 'running'))
  AND NOT {campaign_rows.unfinished("c.id")}
"""


# the same but for channels that paused themselves
_PAUSE = f"""
UPDATE campaigns_campaign c SET state = 'paused'
WHERE c.id = %s AND c.state = 'running' AND c.halted_channels <> '{{}}'
  AND NOT EXISTS (SELECT 1 FROM campaigns_shard s WHERE s.campaign_id = c.id AND s.state IN ('armed', 'running')
                  AND NOT c.halted_channels ? s.channel)
  AND NOT {campaign_rows.unfinished("c.id", more="NOT c.halted_channels ? d.channel")}
"""


def pause_if_only_halted(campaign_id: uuid.UUID) -> bool:
    """A campaign of which nothing is left but channels that paused themselves is paused: it waits for somebody."""
    with connection.cursor() as cursor:
        cursor.execute(_PAUSE, [campaign_id])
        return bool(cursor.rowcount)


def finish_if_done(campaign_id: uuid.UUID) -> bool:
    """True for the one caller that finished it."""
    with connection.cursor() as cursor:
        cursor.execute(_FINISH, [campaign_id])
        if not cursor.rowcount:
            return False
    log.info("campaign finished", action="finish", campaign=str(campaign_id))
    post("campaigns.account", str(campaign_id), queue=BATCH)
    return True
