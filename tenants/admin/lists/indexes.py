"""A block in which PostgreSQL answers by an index."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection


@contextmanager
def prefer_indexes() -> Iterator[None]:
    """The planner may believe that a row which is asked for is met soon when the table is read from its beginning; for
    one that is not there it would read all of it. Needs a transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        yield
        cursor.execute("SET LOCAL enable_seqscan = on")
