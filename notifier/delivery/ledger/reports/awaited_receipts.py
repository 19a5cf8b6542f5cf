"""The statements on notifier_awaitedreceipts: messages about which a provider's server must be asked, stored with the
transaction that settles them, and claimed when they are due, a set of one account at a time.

A table of its own, because an index on the ledger for due receipts would cost every message of every provider, and a
row of the ledger would be written again for each question. A row here stands for up to GROUP messages.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import groupby
from typing import NamedTuple

from django.db import connection

from notifier.delivery.infra import bulk
from notifier.vocabulary.ids import new_id

#: messages of one row. A row is read and written as a whole, and a claim must not exceed one request (of 1,000)
GROUP = 500


#: in place of a reference: a message in doubt, of which the server gave none
IN_DOUBT = "?"


class AwaitedMessage(NamedTuple):
    """A message that the provider took at `sent_at`, and whose receipt is asked for at `due_at`."""

    tenant_id: uuid.UUID
    account_id: uuid.UUID
    delivery_id: uuid.UUID
    ref: str
    sent_at: datetime
    due_at: datetime


#: tenant, account, the hour of `sent_at`, `due_at`
_Group = tuple[uuid.UUID, uuid.UUID, datetime, datetime]


def _group_of(message: AwaitedMessage) -> _Group:
    """Messages of one group share rows. Only messages of the same hour do: the age of a row is that of its youngest
    message, and after a day the row is deleted."""
    hour = message.sent_at.replace(minute=0, second=0, microsecond=0)
    return (message.tenant_id, message.account_id, hour, message.due_at)


_STORE = """
INSERT INTO notifier_awaitedreceipts (id, tenant_id, account_id, delivery_ids, refs, sent_at, due_at, attempts)
VALUES (%s, %s, %s, %s, %s, %s, %s, 0)
"""


def store(messages: Iterable[AwaitedMessage]) -> None:
    """Store messages, up to GROUP of one account in a row."""
    ordered = sorted(messages, key=_group_of)
    if not ordered:
        return
    with bulk.cursor() as cursor:
        for group, members in groupby(ordered, key=_group_of):
            same = list(members)
            for start in range(0, len(same), GROUP):
                cursor.execute(_STORE, _row(group, same[start : start + GROUP]), prepare=True)


def _row(group: _Group, messages: Sequence[AwaitedMessage]) -> list[object]:
    tenant_id, account_id, _, due_at = group
    ids, refs = [message.delivery_id for message in messages], [message.ref for message in messages]
    return [new_id(), tenant_id, account_id, ids, refs, max(message.sent_at for message in messages), due_at]


# steps from account to account through the index; each step reads one row
_DUE_ACCOUNTS = """
WITH RECURSIVE waiting AS (
  (SELECT account_id, due_at FROM notifier_awaitedreceipts ORDER BY account_id, due_at LIMIT 1)
  UNION ALL
  SELECT next.account_id, next.due_at FROM waiting w CROSS JOIN LATERAL (
    SELECT account_id, due_at FROM notifier_awaitedreceipts
    WHERE account_id > w.account_id ORDER BY account_id, due_at LIMIT 1) next
) SELECT account_id FROM waiting WHERE due_at <= now() ORDER BY due_at
"""


def due_accounts() -> list[uuid.UUID]:
    """Accounts with due rows, the one whose row is due for the longest time first."""
    with connection.cursor() as cursor:
        cursor.execute(_DUE_ACCOUNTS)
        return [account_id for (account_id,) in cursor.fetchall()]


class ClaimedRow(NamedTuple):
    """A row that this worker asks about; `attempts` is the fence."""

    id: uuid.UUID
    tenant_id: uuid.UUID
    account_id: uuid.UUID
    delivery_ids: list[uuid.UUID]
    refs: list[str]
    sent_at: datetime
    attempts: int


_CLAIM = """
WITH due AS MATERIALIZED (
  SELECT id, due_at, cardinality(refs) AS size FROM notifier_awaitedreceipts
  WHERE account_id = %s AND due_at <= now()
  ORDER BY due_at LIMIT %s FOR UPDATE SKIP LOCKED)
UPDATE notifier_awaitedreceipts r SET attempts = r.attempts + 1, due_at = now() + make_interval(secs => %s)
FROM (SELECT id, row_number() OVER w AS number, sum(size) OVER w AS total FROM due WINDOW w AS (ORDER BY due_at, id)) c
WHERE r.id = c.id AND (c.number = 1 OR c.total <= %s)
RETURNING r.id, r.tenant_id, r.account_id, r.delivery_ids, r.refs, r.sent_at, r.attempts
"""


def claim(account_id: uuid.UUID, most: int, lease: float) -> list[ClaimedRow]:
    """Take due rows of one account, with up to `most` messages together, the oldest first. After `lease` seconds
    another worker may take them."""
    with bulk.cursor() as cursor:
        cursor.execute(_CLAIM, [account_id, most, lease, most], prepare=True)
        return [ClaimedRow._make(row) for row in cursor.fetchall()]


_CLAIMED = "unnest(%s::uuid[], %s::smallint[]) AS c (id, attempts) WHERE r.id = c.id AND r.attempts = c.attempts"


def delete_claimed(rows: Sequence[ClaimedRow]) -> set[uuid.UUID]:
    """Delete the rows that this worker still holds; returns their ids."""
    with bulk.cursor() as cursor:
        cursor.execute(
            f"DELETE FROM notifier_awaitedreceipts r USING {_CLAIMED} RETURNING r.id",
            [[row.id for row in rows], [row.attempts for row in rows]],
            binary=True,
        )
        return {row_id for (row_id,) in cursor.fetchall()}


def postpone(row: ClaimedRow, seconds: float) -> None:
    """Ask about a row that this worker still holds again later."""
    with bulk.cursor() as cursor:
        cursor.execute(
            "UPDATE notifier_awaitedreceipts SET due_at = now() + make_interval(secs => %s)"
            " WHERE id = %s AND attempts = %s",
            [seconds, row.id, row.attempts],
        )
