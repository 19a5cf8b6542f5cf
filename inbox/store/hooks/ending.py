"""Messages of the inbox end with the messages of the ledger whose ids they have (notifier.delivery.retention). A
snoozed message stays. An unread one is taken off the counters of its inbox.

Such a message lies in the month in which it was accepted, or its campaign was armed, and may arrive a year later: the
ledger knows when it ended. So a month of the inbox stays while the ledger has messages of the month."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from django.db import connection

from inbox.models import State
from notifier.delivery.retention.partitions import LEDGER, LEDGER_UNCHECKED, Rule
from notifier.delivery.retention.rows import Follower

_HOLDS = f"""
SELECT id FROM inbox_inboxmessage
WHERE id = ANY(%(ids)s) AND id >= %(low)s AND id <= %(high)s AND state = {State.SNOOZED:d}
"""
# sorted as inbox.store.insert does, so that transactions wait for each other instead of deadlocking
_LOCK = """
SELECT recipient_id FROM inbox_feed WHERE recipient_id IN (SELECT recipient_id FROM {messages} WHERE {chosen})
ORDER BY recipient_id FOR UPDATE
"""
# runs after the locks, so that it sees every earlier change of these inboxes
_UNCOUNT = f"""
UPDATE inbox_feed f SET revision = f.revision + 1, unread = f.unread + n.unread, unseen = f.unseen + n.unseen,
  by_category = count_by_category(f.by_category, n.categories, n.unread_of, n.unseen_of)
FROM (
  SELECT recipient_id, sum(unread)::integer AS unread, sum(unseen)::integer AS unseen,
    array_agg(category) AS categories, array_agg(unread) AS unread_of, array_agg(unseen) AS unseen_of
  FROM (SELECT m.recipient_id, m.category, -count(*)::integer AS unread,
          -(count(*) FILTER (WHERE m.seq > x.seen_seq))::integer AS unseen
        FROM {{messages}} m JOIN inbox_feed x ON x.recipient_id = m.recipient_id
        WHERE {{chosen}} AND m.state = {State.UNREAD:d} GROUP BY 1, 2) c
  GROUP BY recipient_id) n
WHERE f.recipient_id = n.recipient_id
"""
_BY_IDS = "id = ANY(%(ids)s) AND id >= %(low)s AND id <= %(high)s"
_DELETE = f"DELETE FROM inbox_inboxmessage WHERE {_BY_IDS}"


def _values(ids: Sequence[uuid.UUID]) -> dict[str, Any]:
    return {"ids": list(ids), "low": min(ids), "high": max(ids)}


def holds(ids: Sequence[uuid.UUID]) -> set[uuid.UUID]:
    """Those that are snoozed."""
    if not ids:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(_HOLDS, _values(ids))
        return {row[0] for row in cursor.fetchall()}


def delete(ids: Sequence[uuid.UUID]) -> int:
    """Delete these messages, in the caller's transaction; returns how many there were."""
    _uncount("inbox_inboxmessage", _BY_IDS, _values(ids))
    with connection.cursor() as cursor:
        cursor.execute(_DELETE, _values(ids))
        return int(cursor.rowcount)


def uncount_month(name: str, after: Any, until: Any) -> None:
    """Take a part of a detached month off the counters."""
    _uncount(name, "id > %(after)s AND id <= %(until)s", {"after": after, "until": until})


def _uncount(messages: str, chosen: str, values: dict[str, Any]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_LOCK.format(messages=messages, chosen=chosen), values)
        cursor.execute(_UNCOUNT.format(messages=messages, chosen=chosen), values)


#: a month of the ledger stays as well, because the other messages of the inbox go with their rows of the ledger
LEDGER_HOLD = f"""
EXISTS (SELECT FROM inbox_inboxmessage m
  WHERE m.state = {State.SNOOZED:d} AND m.id >= %(low)s::uuid AND m.id < %(high)s::uuid)
"""
_IN_LEDGER = f"EXISTS (SELECT FROM {LEDGER} d WHERE d.id >= %(low)s::uuid AND d.id < %(high)s::uuid)"
FOLLOWER = Follower(holds, delete)
RULE = Rule(
    "inbox_inboxmessage",
    holds=(_IN_LEDGER, LEDGER_UNCHECKED, f"EXISTS (SELECT FROM {{month}} m WHERE m.state = {State.SNOOZED:d})"),
    count=uncount_month,
)
