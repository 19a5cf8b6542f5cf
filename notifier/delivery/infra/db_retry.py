"""Wait for PostgreSQL while it is away: what a provider answered, or is about to be told, must not be lost with it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from django.db import InterfaceError, OperationalError, connection

T = TypeVar("T")

#: how long a worker keeps trying
PATIENCE_SECONDS = 120.0
_PAUSE = 0.5


def retry_while_db_down(do: Callable[[], T]) -> T:
    """Do what may be repeated, until the database answers. Inside a transaction only once, for its beginning would be
    lost. Raises OperationalError or InterfaceError."""
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return do()
        except (OperationalError, InterfaceError):
            if connection.in_atomic_block or time.monotonic() > until:
                raise
            connection.close()
            time.sleep(_PAUSE)
