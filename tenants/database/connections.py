"""Which connection the statements of a block use: that of the process, one whose session nobody shares, or the read
replica's. Statements name no connection, so a block changes what `django.db.connection` means for its thread.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connection, connections

#: to PostgreSQL itself, past the pooler
DIRECT = "direct"


@contextmanager
def using(alias: str) -> Iterator[Any]:
    """The block's statements run on this connection of the settings. Not inside of an open transaction, whose end would
    then meet another connection."""
    before = connections[DEFAULT_DB_ALIAS]
    connections[DEFAULT_DB_ALIAS] = chosen = connections[alias]
    try:
        yield chosen
    finally:
        connections[DEFAULT_DB_ALIAS] = before


@contextmanager
def own_session() -> Iterator[None]:
    """The block's statements run in one session of the database, which keeps locks and temporary tables from one
    transaction to the next. Behind a pooler this takes a connection of its own (DATABASE_DIRECT_URL); inside of an open
    transaction the session is the process's own anyway."""
    if DIRECT not in settings.DATABASES or connection.alias == DIRECT or connection.in_atomic_block:
        yield
        return
    with using(DIRECT):
        yield
