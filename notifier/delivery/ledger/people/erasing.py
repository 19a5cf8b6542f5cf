"""Erase what the ledger holds of a recipient: addresses, contents, data of requests, words of providers. Rows, times
and statuses stay, so that reports still add up. Registered as an eraser (tenants.erasure).

A message that waits ends (`recipient_erased`), whatever it waits for. A message in flight ends first, and a later run
empties its row.
"""

from __future__ import annotations

import uuid

from django.db import connection

from notifier.delivery.ledger import waiting_rows
from notifier.vocabulary.status import FINAL, Status
from tenants.erasure import Erased

#: rows of one statement
BATCH = 1_000
_FINAL = ", ".join(str(int(status)) for status in sorted(FINAL))

_HOLDS = "(address <> '' OR content IS NOT NULL OR detail <> '' OR provider_ref <> '' OR device_id IS NOT NULL)"

# armed rows of a campaign are among them: their shard has the message, and campaigns.shard.erasing empties it there
_ROWS = f"""
WITH chosen AS MATERIALIZED (
  SELECT id FROM notifier_delivery
  WHERE recipient_id = %s AND status IN ({Status.ARMED}, {_FINAL}) AND {_HOLDS}
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
# the rows of an open digest have ended by then
_DIGESTS = """
WITH gone AS (DELETE FROM notifier_digest WHERE recipient_id = %s RETURNING id)
DELETE FROM notifier_digestitem i USING gone WHERE i.digest_id = gone.id
"""
# a row that another process has locked is passed over above
_LEFT = f"""
SELECT EXISTS (
  SELECT FROM notifier_delivery
  WHERE recipient_id = %s AND (status IN ({Status.QUEUED}, {Status.CLAIMED}, {Status.SENDING}) OR {_HOLDS}))
"""


def erase(tenant_id: uuid.UUID, recipient_id: uuid.UUID) -> Erased:
    """One run over the recipient's rows. Engine role."""
    waiting_rows.end_erased(tenant_id, recipient_id)
    with connection.cursor() as cursor:
        cursor.execute(_REQUESTS, [recipient_id])
        cursor.execute(_DIGESTS, [recipient_id])
        rows, changed = 0, BATCH
        while changed == BATCH:
            cursor.execute(_ROWS, [recipient_id])
            [changed] = cursor.fetchone()
            rows += changed
        cursor.execute(_LEFT, [recipient_id])
        [left] = cursor.fetchone()
    return Erased(rows, left=left)
