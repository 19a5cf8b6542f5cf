"""Statements on sets of rows: `INSERT … SELECT FROM unnest(…)`, one round trip for any number of rows (110 k rows/s
measured with all indexes). COPY is a little faster, but PostgreSQL refuses COPY to a role that row-level security
binds."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from types import MappingProxyType
from typing import Any, get_type_hints
from weakref import WeakSet

import psycopg
from django.conf import settings
from django.db import connection, transaction

from notifier.delivery.infra.pg_arrays import Array, pack

#: column -> type of PostgreSQL, in the order of the row tuples
Columns = Mapping[str, str]


def columns_of(row: type) -> Columns:
    """The columns of a class whose fields are annotated `Annotated[…, "type of PostgreSQL"]`, in their order."""
    hints = get_type_hints(row, include_extras=True)
    return {name: hint.__metadata__[0] for name, hint in hints.items()}


def insert(table: str, columns: Columns, rows: Sequence[Sequence[Any]], *, ignore_conflicts: bool = False) -> int:
    """Insert all rows in one statement; returns how many were new."""
    if not rows:
        return 0
    with cursor() as raw:
        text = insert_statement(table, columns) + (" ON CONFLICT DO NOTHING" if ignore_conflicts else "")
        raw.execute(text, by_column(columns, rows), prepare=True)
        return int(raw.rowcount)


_NONE: Mapping[str, str] = MappingProxyType({})


def insert_statement(table: str, columns: Columns, more: Mapping[str, str] = _NONE, source: str = "") -> str:
    """SQL that inserts rows given by column, or by the SQL table `source`, which is `u`. `more`: further columns, or
    columns that `u` has, too, with SQL expressions over the row `u`; their parameters come first."""
    own = [f"u.{name}" for name in columns if name not in more]
    into = ", ".join([*(name for name in columns if name not in more), *more])
    return (
        f"INSERT INTO {table} ({into}) SELECT {', '.join([*own, *more.values()])} FROM {source or unnest('u', columns)}"
    )


def unnest(name: str, columns: Columns) -> str:
    """SQL: a table of that name, of rows that travel by column (`by_column`)."""
    return f"unnest({', '.join(f'%b::{kind}[]' for kind in columns.values())}) AS {name} ({', '.join(columns)})"


def fetch_ids(sql: str, params: Sequence[Any]) -> set[uuid.UUID]:
    """Run a statement that returns ids; returns them."""
    with cursor() as raw:
        raw.execute(sql, params, binary=True, prepare=True)
        return {row[0] for row in raw.fetchall()}


@contextmanager
def cursor() -> Iterator[psycopg.Cursor[Any]]:
    """A server-side-binding cursor on Django's connection, in Django's transaction. Django's own cursors quote every
    value of an array into the statement's text: a fifth of the time of arming.

    `execute(…, prepare=True)` keeps the statement's plan with the connection: planning a claim takes 2.7 ms, because
    each month's partition is planned, and executing it 0.3. Not for statements whose best plan depends on their values.
    """
    with transaction.atomic() if settings.DATABASE_POOLER and not connection.in_atomic_block else _NO_TRANSACTION:
        connection.ensure_connection()
        with psycopg.Cursor(connection.connection) as raw, connection.wrap_database_errors:
            yield raw


_NO_TRANSACTION = nullcontext()
_planning_once: WeakSet[object] = WeakSet()
_PLAN_ONCE = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
}


def plan_once() -> None:
    """Let this connection plan a prepared statement once, for any arrays, and read rows by their keys only. By its own
    choice PostgreSQL planned a seventh of all claims anew, 8 ms each, and two thirds of the settlements, 1 ms each. And
    it reads a whole partition where an earlier plan or a guess says that the partition is small: at a backlog of 20,000
    rows a claim took 134 ms so, by keys 3. Only for a process that sends, whose statements name few rows: the
    statements of arming and of reports need plans for their values."""
    if settings.DATABASE_POOLER:
        connection.transaction_settings.update(_PLAN_ONCE)  # type: ignore[attr-defined]
        return
    connection.ensure_connection()
    if connection.connection not in _planning_once:
        with cursor() as raw:
            raw.execute("; ".join(f"SET {name} = {value}" for name, value in _PLAN_ONCE.items()))
        _planning_once.add(connection.connection)


@contextmanager
def pipelined() -> Iterator[None]:
    """Statements executed inside travel together, with BEGIN if they are the first of their transaction: a round trip
    costs two changes of process, 0.5 ms of CPU. Errors are raised at the end. Fetch answers after the end: fetching
    inside is a round trip of its own."""
    connection.ensure_connection()
    with connection.wrap_database_errors, connection.connection.pipeline():
        yield


def by_column(columns: Columns, rows: Iterable[Sequence[Any]]) -> list[Array]:
    """Rows -> an array for each column."""
    values_by_column = list(zip(*rows, strict=True)) or [()] * len(columns)
    return [pack(kind, values) for kind, values in zip(columns.values(), values_by_column, strict=True)]
