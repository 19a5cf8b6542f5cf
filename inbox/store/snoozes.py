"""Brings snoozed messages back when they are due: unread, unseen, and with the next number, so above all others."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from inbox.models import State
from inbox.store.announcements import announce
from inbox.store.counters import COLUMNS, Counters, from_row

#: messages that one transaction brings back; it locks their inboxes
BATCH = 500

_DUE = f"""
SELECT recipient_id, id FROM inbox_inboxmessage
WHERE state = {State.SNOOZED:d} AND snoozed_until <= %(now)s ORDER BY snoozed_until LIMIT {BATCH}
"""
# sorted as inbox.store.insert does, so that transactions wait for each other instead of deadlocking
_LOCK = "SELECT recipient_id FROM inbox_feed WHERE recipient_id = ANY (%(recipients)s) ORDER BY recipient_id FOR UPDATE"
# runs after the locks: a message that its recipient has changed meanwhile stays as it is
_RETURN = f"""
WITH due AS (
  SELECT m.id, f.recipient_id, f.revision + 1 AS revision,
         f.last_seq + row_number() OVER (PARTITION BY m.recipient_id ORDER BY m.snoozed_until, m.seq) AS seq
  FROM inbox_inboxmessage m JOIN inbox_feed f ON f.recipient_id = m.recipient_id
  WHERE m.id = ANY (%(ids)s) AND f.recipient_id = ANY (%(recipients)s)
    AND m.state = {State.SNOOZED:d} AND m.snoozed_until <= %(now)s
), returned AS (
  UPDATE inbox_inboxmessage m
  SET state = {State.UNREAD:d}, read_at = NULL, snoozed_until = NULL, seq = due.seq, revision = due.revision
  FROM due WHERE m.id = due.id AND m.id = ANY (%(ids)s) RETURNING m.recipient_id, m.category
)
UPDATE inbox_feed f SET last_seq = f.last_seq + n.count, revision = f.revision + 1,
  unread = f.unread + n.count, unseen = f.unseen + n.count,
  by_category = count_by_category(f.by_category, n.categories, n.ones, n.ones)
FROM (SELECT recipient_id, count(*) AS count, array_agg(category) AS categories, array_agg(1) AS ones
      FROM returned GROUP BY recipient_id) n
WHERE f.recipient_id = n.recipient_id AND f.recipient_id = ANY (%(recipients)s)
RETURNING f.recipient_id, {", ".join(f"f.{name}" for name in COLUMNS)}
"""


def wake_due(now: datetime) -> int:
    """Bring back all messages that are due. Safe to run by several processes at once. Returns how many inboxes have
    changed."""
    changed = 0
    while True:
        due, after = _wake_batch(now)
        changed += len(after)
        if due < BATCH or not after:
            return changed


@transaction.atomic
def _wake_batch(now: datetime) -> tuple[int, dict[uuid.UUID, Counters]]:
    with connection.cursor() as cursor:
        cursor.execute(_DUE, {"now": now})
        rows = cursor.fetchall()
        if not rows:
            return 0, {}
        recipients = sorted({row[0] for row in rows})
        values: dict[str, Any] = {"now": now, "recipients": recipients, "ids": [row[1] for row in rows]}
        cursor.execute(_LOCK, values)
        cursor.execute(_RETURN, values)
        after = {recipient_id: from_row(tuple(counts)) for recipient_id, *counts in cursor.fetchall()}
    transaction.on_commit(lambda: announce(after, lambda recipient_id: after[recipient_id].as_json()))
    return len(rows), after
