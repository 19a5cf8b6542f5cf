"""A block in which PostgreSQL prefers an index to reading a whole table."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection


@contextmanager
def prefer_indexes() -> Iterator[None]:
    """Without this block the planner may expect to find a row soon by reading the table from its beginning; for a row
    that does not exist it would read the whole table. Needs a transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        yield
        cursor.execute("SET LOCAL enable_seqscan = on")
