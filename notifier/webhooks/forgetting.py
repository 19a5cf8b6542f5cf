"""Deletes events, messages and attempts that are older than 30 days, and those of deleted endpoints; some thousand rows
a statement, so that no lock is long."""

from __future__ import annotations

from datetime import datetime

from django.db import connection

from notifier.vocabulary.webhooks import KEPT

#: rows of one statement, statements of one run of the task
ROWS, STATEMENTS = 5_000, 200
_DELETE = "DELETE FROM {table} WHERE id IN (SELECT id FROM {table} x WHERE {old} LIMIT {rows})"
_GONE = "NOT EXISTS (SELECT FROM notifier_webhookendpoint e WHERE e.id = x.endpoint_id)"
_OLD = (
    ("notifier_webhookspool", "x.created_at < %(before)s"),
    ("notifier_webhookmessage", f"x.created_at < %(before)s OR {_GONE}"),
    ("notifier_webhookattempt", f"x.at < %(before)s OR {_GONE}"),
)


def forget(now: datetime) -> int:
    """Returns how many rows were deleted. Engine role."""
    return sum(_forget(table, old, now) for table, old in _OLD)


def _forget(table: str, old: str, now: datetime) -> int:
    statement = _DELETE.format(table=table, old=old, rows=ROWS)
    deleted = 0
    for _ in range(STATEMENTS):
        with connection.cursor() as cursor:
            cursor.execute(statement, {"before": now - KEPT})
            deleted += cursor.rowcount
            if cursor.rowcount < ROWS:
                break
    return deleted
