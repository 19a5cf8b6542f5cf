"""Set-based INSERT: `INSERT … SELECT FROM unnest(…)`, one round trip for any number of rows (110 k rows/s measured with
all indexes). COPY is a little faster but PostgreSQL refuses it to a role that row-level security binds."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db import connection

#: column -> PostgreSQL type, in the order of the row tuples
Columns = Mapping[str, str]

NOTIFICATION: Columns = {
    "id": "uuid", "tenant_id": "uuid", "recipient_id": "uuid", "version_id": "uuid", "category": "text",
    "mode": "text", "lane": "smallint", "data": "jsonb", "send_at": "timestamptz", "not_after": "timestamptz",
    "created_at": "timestamptz",
}  # fmt: skip

DELIVERY: Columns = {
    "id": "uuid", "tenant_id": "uuid", "notification_id": "uuid", "campaign_id": "uuid", "recipient_id": "uuid",
    "category": "text", "channel": "text", "platform": "text", "address": "text", "device_id": "uuid",
    "account_id": "uuid", "lane": "smallint", "status": "smallint", "reason": "text", "detail": "text", "mode": "text",
    "content": "jsonb", "attempt": "smallint", "due_at": "timestamptz", "not_after": "timestamptz",
    "lease_until": "timestamptz", "fence": "integer", "seq": "bigint", "place": "smallint",
    "provider_ref": "text", "accepted_at": "timestamptz", "settled_at": "timestamptz",
}  # fmt: skip

EVENT: Columns = {
    "id": "uuid", "tenant_id": "uuid", "delivery_id": "uuid", "what": "text", "detail": "text",
    "at": "timestamptz",
}  # fmt: skip


def insert(table: str, columns: Columns, rows: Sequence[Sequence[Any]], *, ignore_conflicts: bool = False) -> int:
    """Insert all rows in one statement; returns how many were new."""
    if not rows:
        return 0
    casts = ", ".join(f"%s::{kind}[]" for kind in columns.values())
    conflict = " ON CONFLICT DO NOTHING" if ignore_conflicts else ""
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({', '.join(columns)}) SELECT * FROM unnest({casts}){conflict}",
            by_column(rows),
        )
        return int(cursor.rowcount)


def insert_new(table: str, columns: Columns, rows: Sequence[Sequence[Any]]) -> set[uuid.UUID]:
    """Insert the rows whose key is not there yet; returns their ids."""
    if not rows:
        return set()
    casts = ", ".join(f"%s::{kind}[]" for kind in columns.values())
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({', '.join(columns)}) SELECT * FROM unnest({casts}) "
            "ON CONFLICT DO NOTHING RETURNING id",
            by_column(rows),
        )
        return {row[0] for row in cursor.fetchall()}


def by_column(rows: Iterable[Sequence[Any]]) -> list[list[Any]]:
    """Rows -> one list a column, as unnest wants them."""
    return [list(column) for column in zip(*rows, strict=True)]
