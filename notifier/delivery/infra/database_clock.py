"""The time of the database. What is decided for all messages at once is decided by it: on a machine whose clock is a
day ahead, the sweep would launch what is planned for tomorrow."""

from __future__ import annotations

from datetime import datetime

from django.db import connection


def database_now() -> datetime:
    """Now, with a time zone; also inside of a transaction, where `now()` stands still. A round trip."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now
