"""Monthly partitions of the high-volume tables, ranged on the id itself (its first 48 bits are the time).

One-column primary keys keep Django's admin working. Only the engine may name a partition: a row-level policy holds for
the table that a statement names, so the web role has no rights on partitions (tenants.database.grants gives none).
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from django.db import connection
from django.db.migrations import CreateModel
from django.db.migrations.state import ProjectState

from notifier.vocabulary.ids import id_floor

PARTITIONED = ("notifier_delivery", "notifier_deliveryevent", "inbox_inboxmessage")
MONTHS_AHEAD = 3
#: a twentieth of dead rows instead of a fifth: a page of an index that a vacuum empties is used again after the next
#: vacuum (a week of load: docs/retention.md)
VACUUM_EARLY = "autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 500"
# PostgreSQL would vacuum a million armed rows at the time of GO, and once more when their outcomes are written: only
# updated rows need it
_SETTINGS = {"notifier_delivery": "autovacuum_vacuum_insert_threshold = -1, "}


def month_after(month: date, months: int = 1) -> date:
    """The first day of the month `months` later."""
    index = month.year * 12 + month.month - 1 + months
    return date(index // 12, index % 12 + 1, 1)


def bounds(month: date) -> tuple[str, str]:
    """The ids at which a month's partition begins (inclusive) and ends (exclusive)."""
    edges = (month.replace(day=1), month_after(month))
    return tuple(  # type: ignore[return-value]
        str(id_floor(int(datetime(d.year, d.month, 1, tzinfo=UTC).timestamp() * 1000))) for d in edges
    )


def partition_sql(table: str, month: date) -> str:
    """The statement that creates one month's partition, unless the partition exists."""
    name = f"{table}_{month:%Y_%m}"
    low, high = bounds(month)
    return (
        f"CREATE TABLE IF NOT EXISTS {name} PARTITION OF {table} FOR VALUES FROM ('{low}') TO ('{high}')"
        f" WITH ({_SETTINGS.get(table, '')}{VACUUM_EARLY});"
    )


def first_partitions(table: str, today: date) -> str:
    """For the migration: partitions of last month (late receipts), this month and the next ones, and the DEFAULT, which
    must stay empty."""
    months = (month_after(today, n) for n in range(-1, MONTHS_AHEAD + 1))
    default = f"CREATE TABLE {table}_default PARTITION OF {table} DEFAULT;"
    return "".join(partition_sql(table, m) for m in months) + default


def make_ahead(today: date) -> None:
    """Create the partitions of the coming months. Safe to run at any time, by several processes at once."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('notifier.partitions'))")
        for table in PARTITIONED:
            for n in range(MONTHS_AHEAD + 1):
                cursor.execute(partition_sql(table, month_after(today, n)))


def default_rows() -> dict[str, int]:
    """Partitioned table -> rows of its DEFAULT partition, of those that have any: rows whose id belongs to no month.
    Counts up to a thousand."""
    counts = {}
    with connection.cursor() as cursor:
        for table in PARTITIONED:
            cursor.execute(f"SELECT count(*) FROM (SELECT FROM {table}_default LIMIT 1000) d")
            counts[table] = int(cursor.fetchone()[0])
    return {table: rows for table, rows in counts.items() if rows}


class CreatePartitionedModel(CreateModel):
    """CreateModel whose table is PARTITION BY RANGE (id), with its first partitions and none of Django's indexes:
    each index of a high-volume table is written by hand in the migration, with its reason."""

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        model = to_state.apps.get_model(app_label, self.name)
        sql, params = schema_editor.table_sql(model)
        schema_editor.execute(f"{sql} PARTITION BY RANGE (id)", params or None)
        today = datetime.now(UTC).date()
        schema_editor.execute(first_partitions(model._meta.db_table, today))
