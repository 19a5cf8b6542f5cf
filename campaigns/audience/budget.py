"""Statements with a time limit, so that a page or a call that looks at a large audience never holds a web worker.

A statement that takes longer is cancelled by PostgreSQL, inside of a savepoint: the request's transaction goes on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import OperationalError, connection, transaction
from psycopg.errors import QueryCanceled

#: multiplies each limit. Tests of pages set more: on a machine that others load, four rows are counted in 200 ms
PATIENCE = 1


def rows_within(ms: int, sql: str, params: Sequence[Any] | Mapping[str, Any]) -> list[tuple[Any, ...]] | None:
    """The rows of a statement; None when it takes longer than `ms`, times PATIENCE."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            # the session's value or the transaction's own holds now, and holds again afterwards
            cursor.execute("SELECT current_setting('statement_timeout')")
            (before,) = cursor.fetchone()
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [f"{ms * PATIENCE}ms"])
            cursor.execute(sql, params)
            rows = list(cursor.fetchall())
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [before])
            return rows
    except OperationalError as error:
        if isinstance(error.__cause__, QueryCanceled):
            return None
        raise
