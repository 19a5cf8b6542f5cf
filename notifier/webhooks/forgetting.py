"""Deletes events, messages and attempts that are older than 30 days, and those of deleted endpoints; some thousand rows
a statement, so that no lock is long."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.db import connection

from notifier.vocabulary.webhooks import KEPT

#: rows of one statement, statements of one run of the task
ROWS, STATEMENTS = 5_000, 200
# rows that a replay or a worker holds are deleted an hour later
_DELETE = """
DELETE FROM {table} WHERE id IN (SELECT id FROM {table} WHERE {old} LIMIT {rows} FOR UPDATE SKIP LOCKED)
"""
_TIMES = (
    ("notifier_webhookspool", "created_at"),
    ("notifier_webhookmessage", "created_at"),
    ("notifier_webhookattempt", "at"),
)
_OF_ENDPOINTS = ("notifier_webhookmessage", "notifier_webhookattempt")
# the endpoints that the table knows, one look into its index for each
_GONE = """
WITH RECURSIVE known AS (
  (SELECT endpoint_id AS id FROM {table} ORDER BY endpoint_id LIMIT 1)
  UNION ALL
  SELECT (SELECT t.endpoint_id FROM {table} t WHERE t.endpoint_id > k.id ORDER BY t.endpoint_id LIMIT 1)
  FROM known k WHERE k.id IS NOT NULL
)
SELECT k.id FROM known k
WHERE k.id IS NOT NULL AND NOT EXISTS (SELECT FROM notifier_webhookendpoint e WHERE e.id = k.id)
"""


def forget(now: datetime) -> int:
    """Returns how many rows were deleted. Engine role."""
    deleted = sum(_delete(table, f"{column} < %s", now - KEPT) for table, column in _TIMES)
    for table in _OF_ENDPOINTS:
        with connection.cursor() as cursor:
            cursor.execute(_GONE.format(table=table))
            gone = [row[0] for row in cursor.fetchall()]
        deleted += sum(_delete(table, "endpoint_id = %s", endpoint_id) for endpoint_id in gone)
    return deleted


def _delete(table: str, old: str, value: datetime | uuid.UUID) -> int:
    statement = _DELETE.format(table=table, old=old, rows=ROWS)
    deleted = 0
    for _ in range(STATEMENTS):
        with connection.cursor() as cursor:
            cursor.execute(statement, [value])
            deleted += cursor.rowcount
            if cursor.rowcount < ROWS:
                break
    return deleted
