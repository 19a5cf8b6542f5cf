"""Fan-in: a campaign is finished when none of its messages is left to send. One conditional UPDATE, so it happens
once."""

from __future__ import annotations

import uuid

import structlog
from django.db import connection

from notifier import failpoints
from notifier.channels.queues import BATCH
from notifier.delivery.ledger.campaigns import campaign_rows
from notifier.tasks import post

log = structlog.get_logger("campaigns")

# An index answers each part: open shards of a campaign, ranges that wait for the winner of an A/B test, and unfinished
# rows in the ledger. Rows of shards stay ARMED in the ledger until accounting copies their outcomes. A retry keeps the
# time of the first end, from which reports compute the speed.
_FINISH = f"""
UPDATE campaigns_campaign c SET state = 'finished', finished_at = COALESCE(c.finished_at, clock_timestamp())
WHERE c.id = %s AND c.state = 'running' AND c.retry_before IS NULL
  AND NOT EXISTS (SELECT 1 FROM campaigns_shard s WHERE s.campaign_id = c.id AND s.state IN ('armed', 'running'))
  AND NOT EXISTS (SELECT 1 FROM campaigns_audiencerange r WHERE r.campaign_id = c.id)
  AND NOT {campaign_rows.unfinished("c.id")}
"""


# the same, without the halted channels
_PAUSE = f"""
UPDATE campaigns_campaign c SET state = 'paused'
WHERE c.id = %s AND c.state = 'running' AND c.halted_channels <> '{{}}'
  AND NOT EXISTS (SELECT 1 FROM campaigns_shard s WHERE s.campaign_id = c.id AND s.state IN ('armed', 'running')
                  AND NOT c.halted_channels ? s.channel)
  AND NOT {campaign_rows.unfinished("c.id", more="NOT c.halted_channels ? d.channel")}
"""


def pause_if_only_halted(campaign_id: uuid.UUID) -> bool:
    """Pause a campaign that has only halted channels left, until an actor resumes or stops it. True for the one caller
    that paused it."""
    with connection.cursor() as cursor:
        cursor.execute(_PAUSE, [campaign_id])
        return bool(cursor.rowcount)


def finish_if_done(campaign_id: uuid.UUID) -> bool:
    """True for the one caller that finished the campaign."""
    with connection.cursor() as cursor:
        cursor.execute(_FINISH, [campaign_id])
        if not cursor.rowcount:
            return False
    log.info("campaign finished", action="finish", campaign=str(campaign_id))
    failpoints.reach("finish.before-accounting")
    post("campaigns.account", str(campaign_id), queue=BATCH)
    return True
