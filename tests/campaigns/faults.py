"""Planned faults of the database: a statement fails as if the connection was lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import OperationalError, connection


@contextmanager
def lost_once(part: str) -> Iterator[list[str]]:
    """The connection is lost before the first statement of Django's ORM that contains `part`. Yields the lost ones."""
    lost: list[str] = []

    def run(execute: Any, sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        if part in sql and not lost:
            lost.append(sql)
            raise OperationalError("the connection is lost")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(run):
        yield lost
