"""The monthly partitions that a migration makes, made again after a test whose months were dropped."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from notifier.models.partitions import MONTHS_AHEAD, PARTITIONED, first_partitions

#: last month, this month and those ahead, and the DEFAULT
OF_A_TABLE = MONTHS_AHEAD + 3
_COUNT = "SELECT count(*) FROM pg_inherits WHERE inhparent = ANY (%s::text[]::regclass[])"


def restore_partitions(cursor: Any) -> None:
    cursor.execute(_COUNT, [list(PARTITIONED)])
    if cursor.fetchone()[0] >= OF_A_TABLE * len(PARTITIONED):
        return
    for table in PARTITIONED:
        months = first_partitions(table, datetime.now(UTC).date()).partition(f"CREATE TABLE {table}_default")[0]
        cursor.execute(months)
