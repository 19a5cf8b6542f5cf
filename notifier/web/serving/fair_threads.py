"""Threads that owners share: while others wait, one owner has three quarters of the threads at most, and owners take
turns.

An owner is the tenant of an API key, a client address with a session of the admin, or nobody in particular. With ten
threads, ten slow requests of one tenant held up every other request of the process. Runs in the event loop, so it needs
no lock; a call costs 1 µs more.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from notifier.web.limits import counted_as, uncount

T = TypeVar("T")
#: the key of the ASGI scope under which `notifier.web.rate_door` says whose request it is
OWNER = "notifier.owner"
_COOKIE = b"sessionid="


class FairThreads:
    def __init__(self, threads: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="request")
        self._threads = threads
        #: of one owner at most: another owner finds a thread free
        self._share = max(1, threads - max(1, threads // 4))
        self._running: Counter[Hashable] = Counter()
        self._waiting: OrderedDict[Hashable, deque[asyncio.Future[None]]] = OrderedDict()

    async def run(self, owner: Hashable, function: Callable[..., T], *values: Any) -> T:
        """The function's result, from a thread."""
        await self._enter(owner)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, function, *values)
        finally:
            self._leave(owner)

    async def _enter(self, owner: Hashable) -> None:
        if self._has_room(owner) and owner not in self._waiting:
            self._running[owner] += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(owner, deque()).append(turn)
        try:
            await turn  # `_next` counts the call
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._leave(owner)
            raise

    def _has_room(self, owner: Hashable) -> bool:
        return self._running.total() < self._threads and self._running[owner] < self._share

    def _leave(self, owner: Hashable) -> None:
        uncount(self._running, owner)
        self._next()

    def _next(self) -> None:
        """Give free threads to those who wait, an owner after the other."""
        for owner in list(self._waiting):
            if self._running.total() >= self._threads:
                return
            if not self._has_room(owner):
                continue
            calls = self._waiting[owner]
            while calls and calls[0].done():
                calls.popleft()  # its client has left
            if calls:
                self._running[owner] += 1
                calls.popleft().set_result(None)
            if calls:
                self._waiting.move_to_end(owner)
            else:
                del self._waiting[owner]


def owner_of(scope: Mapping[str, Any]) -> Hashable:
    """Whose request it is: what the door found, else, with a session's cookie, the client address's, else nobody's. The
    cookie's text is no owner: a client can invent as many as it likes."""
    owner: Hashable = scope.get(OWNER)
    if owner is not None:
        return owner
    client = scope.get("client")
    if client and any(name == b"cookie" and _COOKIE in value for name, value in scope["headers"]):
        return counted_as(client[0]) or str(client[0])
    return None
