"""Deletes rows that go by their age alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection, transaction

from notifier.vocabulary.ids import id_floor
from notifier.vocabulary.retention import Keep
from tenants.retention.periods import Cutoffs
from tenants.retention.registry import Amount, Pace


@dataclass(frozen=True)
class Expiry:
    """A table whose rows are deleted when `time`, an SQL expression over the row `t`, is older than `keep`: the time
    that the row's tenant has chosen, or the same time for all. Rows for which the SQL `unless` is true stay; where
    either is null, too.

    The table has the columns `id` (a time-ordered id, made at `time` or before) and `tenant_id`, and an index that
    begins with both (each list of the admin has one): each batch reads a range of it. `ids_are_times=False`: the ids
    are not time-ordered, and the whole range of the tenant is read."""

    table: str
    time: str
    keep: Keep | timedelta
    unless: str = "false"
    ids_are_times: bool = True

    @property
    def name(self) -> str:
        return self.table

    def preview(self, cutoffs: Cutoffs) -> Iterator[Amount]:
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT count(*), coalesce(sum(pg_column_size(t.*)), 0) FROM {self.table} t WHERE {self._old()}",
                self._values(cutoffs),
            )
            yield Amount(self.table, *map(int, cursor.fetchone()))

    def remove(self, cutoffs: Cutoffs, pace: Pace) -> int:
        values, removed = self._values(cutoffs), 0
        after = "AND t.id > %(after)s" if self.ids_are_times else ""
        statement = f"""
            WITH old AS MATERIALIZED (
              SELECT t.id FROM {self.table} t WHERE {self._old()} {after} ORDER BY t.id LIMIT %(batch)s
              FOR UPDATE SKIP LOCKED
            ), gone AS (DELETE FROM {self.table} t USING old WHERE t.id = old.id RETURNING t.id)
            SELECT id FROM gone ORDER BY id DESC
        """
        while pace.may_go_on():
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(statement, {**values, "batch": pace.batch})
                ids = [row[0] for row in cursor.fetchall()]
            removed += len(ids)
            if len(ids) < pace.batch:
                break
            values["after"] = ids[0]
        return removed

    def _old(self) -> str:
        young = "AND t.id < %(floor)s" if self.ids_are_times else ""
        return f"t.tenant_id = %(tenant)s {young} AND {self.time} < %(cutoff)s AND NOT ({self.unless})"

    def _values(self, cutoffs: Cutoffs) -> dict[str, Any]:
        end = self._cutoff(cutoffs)
        floor = id_floor(int(end.timestamp() * 1000) + 1)
        return {"tenant": cutoffs.tenant_id, "cutoff": end, "floor": floor, "after": id_floor(0)}

    def _cutoff(self, cutoffs: Cutoffs) -> datetime:
        if isinstance(self.keep, timedelta):
            return datetime.now(UTC) - self.keep
        return cutoffs.of(self.keep)
