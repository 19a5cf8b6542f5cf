"""Erase what the ledger holds of a recipient: addresses, contents, data of requests, words of providers. Rows, times
and statuses stay, so that reports still add up. Registered as an eraser (tenants.erasure).

A message that waits is due at once: the last look before sending suppresses it (`recipient_erased`), and its row is
emptied by a later run. A message in flight ends first.
"""

from __future__ import annotations

import uuid

from django.db import connection

from notifier.vocabulary.status import FINAL, QueuePosition, Reason, Status
from tenants.erasure import Erased

#: rows of one statement
BATCH = 1_000
_FINAL = ", ".join(str(int(status)) for status in sorted(FINAL))

_DUE_NOW = f"""
UPDATE notifier_delivery SET due_at = now()
WHERE recipient_id = %s AND status = {Status.QUEUED} AND queue_position = {QueuePosition.PARKED} AND due_at > now()
"""
# no ordering queue counts these rows
_END = f"""
UPDATE notifier_delivery SET status = {Status.SUPPRESSED}, reason = '{Reason.RECIPIENT_ERASED}', settled_at = now()
WHERE recipient_id = %s AND status = {Status.QUEUED}
  AND queue_position IN ({QueuePosition.IN_DIGEST}, {QueuePosition.LATER_STEP})
"""
# armed rows of a campaign are among them: their shard has the message, and campaigns.shard.erasing empties it there
_ROWS = f"""
WITH chosen AS MATERIALIZED (
  SELECT id FROM notifier_delivery
  WHERE recipient_id = %s AND status IN ({Status.ARMED}, {_FINAL})
    AND (address <> '' OR content IS NOT NULL OR detail <> '' OR provider_ref <> '' OR device_id IS NOT NULL)
  LIMIT {BATCH} FOR UPDATE SKIP LOCKED
), emptied AS (
  UPDATE notifier_delivery d SET address = '', content = NULL, detail = '', provider_ref = '', device_id = NULL
  FROM chosen WHERE d.id = chosen.id RETURNING d.id
), events AS (
  UPDATE notifier_deliveryevent e SET detail = '' FROM emptied WHERE e.delivery_id = emptied.id AND e.detail <> ''
), letters AS (
  UPDATE notifier_deadletter l SET last_error = '' FROM emptied WHERE l.delivery_id = emptied.id
)
SELECT count(*) FROM emptied
"""
_REQUESTS = "UPDATE notifier_notification SET data = '{}' WHERE recipient_id = %s AND data <> '{}'"
# an open digest's rows end with the statement above
_DIGESTS = """
WITH gone AS (DELETE FROM notifier_digest WHERE recipient_id = %s RETURNING id)
DELETE FROM notifier_digestitem i USING gone WHERE i.digest_id = gone.id
"""
_UNFINISHED = f"""
SELECT EXISTS (SELECT FROM notifier_delivery
               WHERE recipient_id = %s AND status IN ({Status.QUEUED}, {Status.CLAIMED}, {Status.SENDING}))
"""


def erase(tenant_id: uuid.UUID, recipient_id: uuid.UUID) -> Erased:
    """One run over the recipient's rows. Engine role."""
    with connection.cursor() as cursor:
        cursor.execute(_DUE_NOW, [recipient_id])
        cursor.execute(_END, [recipient_id])
        cursor.execute(_REQUESTS, [recipient_id])
        cursor.execute(_DIGESTS, [recipient_id])
        rows, changed = 0, BATCH
        while changed == BATCH:
            cursor.execute(_ROWS, [recipient_id])
            [changed] = cursor.fetchone()
            rows += changed
        cursor.execute(_UNFINISHED, [recipient_id])
        [unfinished] = cursor.fetchone()
    return Erased(rows, left=unfinished)
