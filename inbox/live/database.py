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
QUERY_THREADS = 4
#: one for hellos, and one for heartbeats: they do not wait behind the queries of thousands of sockets
CHECK_THREADS = 2
#: a hello or a check that the database does not answer for so long has failed. A database that works is quicker: a
#: thread waits 10 s for a connection of the pool, and PostgreSQL stops a statement after WEB_STATEMENT_SECONDS
CHECK_SECONDS = 30.0


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

    return await asyncio.get_running_loop().run_in_executor(_query_threads(), _call, run)


async def check_in_thread(function: Callable[[], T]) -> T:
    """The result of a function that checks many sockets. A caller that stops waiting leaves the thread to the function
    until the database answers or the connection breaks."""
    return await asyncio.get_running_loop().run_in_executor(_check_threads(), _call, function)


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
    """Call the function. Its database connection then goes back to the pool."""
    try:
        return function()
    finally:
        connection.close()


@functools.cache
def _query_threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(QUERY_THREADS, thread_name_prefix="inbox query")


@functools.cache
def _check_threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(CHECK_THREADS, thread_name_prefix="inbox check")
