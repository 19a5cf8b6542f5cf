"""The statements on notifier_receipt: storing calls, claiming due rows of one account, parking, and calls that no
worker could read."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, NamedTuple

from django.db import connection

from notifier.delivery.infra import bulk
from notifier.models import Receipt
from notifier.vocabulary.ids import id_floor

_NEW, _UNREADABLE = Receipt.State.NEW.value, Receipt.State.UNREADABLE.value
_WAITING = f"state < {_UNREADABLE}"


class ReceiptRow(NamedTuple):
    """One row of notifier_receipt but for its times. Fields are columns, in the order of SQL."""

    id: Annotated[uuid.UUID, "uuid"]
    tenant_id: Annotated[uuid.UUID, "uuid"]
    account_id: Annotated[uuid.UUID, "uuid"]
    state: Annotated[int, "smallint"]
    sealed: Annotated[bytes, "bytea"]


class ParkedRow(NamedTuple):
    """Events that wait, since `received_at`, and are tried again in `wait` seconds."""

    id: Annotated[uuid.UUID, "uuid"]
    tenant_id: Annotated[uuid.UUID, "uuid"]
    account_id: Annotated[uuid.UUID, "uuid"]
    state: Annotated[int, "smallint"]
    sealed: Annotated[bytes, "bytea"]
    received_at: Annotated[datetime, "timestamptz"]
    wait: Annotated[float, "float8"]


class ClaimedReceipt(NamedTuple):
    """A row that this worker reads; `attempts` is the fence."""

    id: uuid.UUID
    tenant_id: uuid.UUID
    state: int
    sealed: bytes
    received_at: datetime
    attempts: int


_NO_ATTEMPT = {"attempts": "0", "error": "''"}
_ROW, _PARKED = bulk.columns_of(ReceiptRow), bulk.columns_of(ParkedRow)
# the database's clock: a worker compares `due_at` with it
_TIMES = {"received_at": "clock_timestamp()", "due_at": "now()"}
_STORE = bulk.insert_statement("notifier_receipt", _ROW, {**_TIMES, **_NO_ATTEMPT})
_PARK = f"""
INSERT INTO notifier_receipt (id, tenant_id, account_id, state, sealed, received_at, due_at, attempts, error)
SELECT id, tenant_id, account_id, state, sealed, received_at, now() + make_interval(secs => wait), 0, ''
FROM {bulk.unnest("u", _PARKED)}
"""


def store(rows: Sequence[ReceiptRow]) -> None:
    """Insert calls that no worker has read."""
    with bulk.cursor() as cursor:
        cursor.execute(_STORE, bulk.by_column(_ROW, rows), prepare=True)


def park(rows: Sequence[ParkedRow]) -> None:
    if rows:
        with bulk.cursor() as cursor:
            cursor.execute(_PARK, bulk.by_column(_PARKED, rows), prepare=True)


# steps from account to account through the index; each step reads one row
_DUE_ACCOUNTS = f"""
WITH RECURSIVE waiting AS (
  (SELECT account_id, due_at FROM notifier_receipt WHERE {_WAITING} ORDER BY account_id, due_at LIMIT 1)
  UNION ALL
  SELECT next.account_id, next.due_at FROM waiting w CROSS JOIN LATERAL (
    SELECT account_id, due_at FROM notifier_receipt
    WHERE {_WAITING} AND account_id > w.account_id ORDER BY account_id, due_at LIMIT 1) next
) SELECT account_id FROM waiting WHERE due_at <= now()
"""


def due_accounts() -> list[uuid.UUID]:
    """Accounts with due rows."""
    with connection.cursor() as cursor:
        cursor.execute(_DUE_ACCOUNTS)
        return [account_id for (account_id,) in cursor.fetchall()]


# octet_length of a long value reads no more than its head
_CLAIM = f"""
WITH due AS MATERIALIZED (
  SELECT id, due_at, octet_length(sealed) AS size FROM notifier_receipt
  WHERE account_id = %s AND {_WAITING} AND due_at <= now()
  ORDER BY due_at LIMIT %s FOR UPDATE SKIP LOCKED)
UPDATE notifier_receipt r SET attempts = r.attempts + 1, due_at = now() + make_interval(secs => %s)
FROM (SELECT id, row_number() OVER w AS number, sum(size) OVER w AS total FROM due WINDOW w AS (ORDER BY due_at, id)) c
WHERE r.id = c.id AND (c.number = 1 OR c.total <= %s)
RETURNING r.id, r.tenant_id, r.state, r.sealed, r.received_at, r.attempts
"""


class ClaimLimits(NamedTuple):
    """`lease`: seconds after which another worker may take the rows; `size`: in bytes, unless one row is larger."""

    rows: int
    size: int
    lease: float


def claim(account_id: uuid.UUID, limits: ClaimLimits) -> list[ClaimedReceipt]:
    """Take due rows of one account, the oldest first."""
    with bulk.cursor() as cursor:
        cursor.execute(_CLAIM, [account_id, limits.rows, limits.lease, limits.size], binary=True, prepare=True)
        return sorted((ClaimedReceipt._make(row) for row in cursor.fetchall()), key=lambda row: row.received_at)


_CLAIMED = "unnest(%s::uuid[], %s::smallint[]) AS c (id, attempts) WHERE r.id = c.id AND r.attempts = c.attempts"


def delete_claimed(rows: Sequence[ClaimedReceipt]) -> set[uuid.UUID]:
    """Delete the rows that this worker still holds; returns their ids."""
    with bulk.cursor() as cursor:
        cursor.execute(
            f"DELETE FROM notifier_receipt r USING {_CLAIMED} RETURNING r.id",
            [[row.id for row in rows], [row.attempts for row in rows]],
            binary=True,
        )
        return {receipt_id for (receipt_id,) in cursor.fetchall()}


def mark_unreadable(row: ClaimedReceipt, error: str) -> None:
    """Keep a row that this worker still holds for a person."""
    with bulk.cursor() as cursor:
        cursor.execute(
            f"UPDATE notifier_receipt r SET state = {_UNREADABLE}, error = %s FROM {_CLAIMED}",
            [error[:300], [row.id], [row.attempts]],
        )


def postpone(rows: Sequence[ClaimedReceipt], seconds: float) -> None:
    """Try rows that this worker still holds again later."""
    with bulk.cursor() as cursor:
        cursor.execute(
            f"UPDATE notifier_receipt r SET due_at = now() + make_interval(secs => %s) FROM {_CLAIMED}",
            [seconds, [row.id for row in rows], [row.attempts for row in rows]],
        )


def forget_unreadable(before: datetime) -> int:
    """Delete unreadable rows that came before this time; returns how many."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"DELETE FROM notifier_receipt WHERE state = {_UNREADABLE} AND id < %s",
            [id_floor(int(before.timestamp() * 1000))],
        )
        return int(cursor.rowcount)
