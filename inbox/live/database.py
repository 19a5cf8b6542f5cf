"""The threads in which sockets query the database."""

from __future__ import annotations

import asyncio
import functools
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

from django.db import connection

from inbox.live import limits
from inbox.tokens import Claimed
from tenants.access import scope

T = TypeVar("T")
#: each thread takes a connection of the process's pool while it runs a query
THREADS = 6


class HasIds(Protocol):
    """What asks about a recipient: a hello, or a socket that is due."""

    @property
    def claimed(self) -> Claimed: ...


H = TypeVar("H", bound=HasIds)


async def query(tenant_id: uuid.UUID, function: Callable[[], T]) -> T:
    """The function's result, called as this tenant in a transaction of its own."""

    def run() -> T:
        with scope(tenant_id):
            return function()

    return await in_thread(run)


async def in_thread(function: Callable[[], T]) -> T:
    """Call the function in one of the threads. Its database connection goes back to the pool at the end."""
    return await asyncio.get_running_loop().run_in_executor(_threads(), _call, function)


def chunks(entries: Sequence[H], most: int) -> Iterator[list[H]]:
    """The entries by tenant, `most` of them at a time, of limits.TENANTS tenants at most: each chunk fits one scope."""
    chunk: list[H] = []
    tenants: set[uuid.UUID] = set()
    for entry in sorted(entries, key=lambda entry: entry.claimed.tenant_id):
        if len(chunk) == most or (len(tenants) == limits.TENANTS and entry.claimed.tenant_id not in tenants):
            yield chunk
            chunk, tenants = [], set()
        chunk.append(entry)
        tenants.add(entry.claimed.tenant_id)
    if chunk:
        yield chunk


def tenants_of(entries: Sequence[HasIds]) -> set[uuid.UUID]:
    return {entry.claimed.tenant_id for entry in entries}


def _call(function: Callable[[], T]) -> T:
    try:
        return function()
    finally:
        connection.close()


@functools.cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(THREADS, thread_name_prefix="inbox")
