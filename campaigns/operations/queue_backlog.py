"""The SQL function `queue_backlog(queue)`: how much work waits for the workers of a queue. For what scales workers by
it (deploy/k8s), in a role that may call nothing else.

The length of a Celery queue does not tell: a task only says that there may be work. For a bulk queue the messages of
armed campaigns count before GO, so that the workers are there when it comes.
"""

from __future__ import annotations

from notifier.channels.queues import BATCH, CONTROL, RECEIPTS, WEBHOOKS, queue_of
from notifier.vocabulary.status import Lane, QueuePosition, Status

#: rows that are counted at most: more make no difference to the number of workers
MOST_ROWS = 100_000
#: how long an armed campaign whose GO nobody has planned keeps its workers, and how long before a planned GO they start
ARMED_COUNTS, AHEAD = "1 hour", "15 minutes"

_BULK_ENDING = queue_of("", Lane.BULK)

_DUE = f"""
  (SELECT count(*) FROM (
     SELECT 1 FROM notifier_delivery d
     WHERE d.channel = replace(queue, '{_BULK_ENDING}', '') AND d.status = {Status.QUEUED}
       AND d.queue_position = {QueuePosition.HAS_TURN} AND d.due_at <= now()
       AND (d.lane = {Lane.BULK}) = (queue LIKE '%{_BULK_ENDING}')
     LIMIT {MOST_ROWS}) due)
"""

FUNCTION = f"""
CREATE FUNCTION queue_backlog(queue text) RETURNS bigint
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT CASE
    WHEN queue = '{CONTROL}' THEN 0
    WHEN queue = '{BATCH}' THEN
      (SELECT count(*) FROM campaigns_audiencerange r JOIN campaigns_campaign c ON c.id = r.campaign_id
       WHERE c.state = 'arming')
      + (SELECT count(*) FROM tenants_import WHERE state IN ('waiting', 'running'))
    WHEN queue = '{RECEIPTS}' THEN
      (SELECT count(*) FROM (
         SELECT 1 FROM notifier_receipt WHERE state < 2 AND due_at <= now() LIMIT {MOST_ROWS}) waiting)
    WHEN queue = '{WEBHOOKS}' THEN
      (SELECT count(*) FROM (
         SELECT 1 FROM notifier_webhookmessage WHERE state = 0 AND due_at <= now() LIMIT {MOST_ROWS}) waiting)
    WHEN queue LIKE '%{_BULK_ENDING}' THEN {_DUE}
      + (SELECT coalesce(sum(s.size - s.sent - s.failed - s.requeued), 0)
         FROM campaigns_campaign c JOIN campaigns_shard s ON s.campaign_id = c.id
         WHERE s.channel = replace(queue, '{_BULK_ENDING}', '') AND s.state IN ('armed', 'running')
           AND (s.not_before IS NULL OR s.not_before < now() + interval '{AHEAD}')
           AND (c.state IN ('launching', 'running')
             OR (c.state = 'armed' AND coalesce(
               c.launch_at < now() + interval '{AHEAD}', c.armed_at > now() - interval '{ARMED_COUNTS}'))))
    ELSE {_DUE}
  END
$$;
REVOKE ALL ON FUNCTION queue_backlog(text) FROM PUBLIC;
"""
