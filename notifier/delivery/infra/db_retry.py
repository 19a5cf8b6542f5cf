"""Wait for PostgreSQL while it restarts: the answers of providers must not be lost with it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from django.db import InterfaceError, OperationalError, connection

T = TypeVar("T")

#: how long a worker tries
TIMEOUT_SECONDS = 120.0
_PAUSE = 0.5


def retry_while_db_down(do: Callable[[], T]) -> T:
    """Call `do`, which may be repeated, until the database answers. Inside a transaction only once: a new connection
    would lose the transaction's beginning. Raises OperationalError or InterfaceError."""
    until = time.monotonic() + TIMEOUT_SECONDS
    while True:
        try:
            return do()
        except (OperationalError, InterfaceError):
            if connection.in_atomic_block or time.monotonic() > until:
                raise
            connection.close()
            time.sleep(_PAUSE)
