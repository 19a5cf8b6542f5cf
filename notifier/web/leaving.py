"""A client that has left waits for nothing: the statement that PostgreSQL still runs for it is stopped.

Two halves: `StopWhenLeft` is the ASGI application around Django, which hears that the client is gone; `Interruptible`
is the middleware that says which connection of the database the request has. Only for GET and HEAD: what a POST has
begun ends as a whole.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextvars import ContextVar
from threading import Lock
from typing import Any

from django.db import connection
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from psycopg import Error

Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Application = Callable[[Mapping[str, Any], Receive, Any], Awaitable[None]]
#: seconds from one cancellation to the next: a page asks more than one statement
AGAIN = 0.5


class Work:
    """What the database does for one request."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._connection: Any = None

    @contextlib.contextmanager
    def runs_on(self, wrapper: Any) -> Iterator[None]:
        """While the block lasts, and no longer: afterwards the connection is somebody else's."""
        with self._lock:
            self._connection = wrapper
        try:
            yield
        finally:
            with self._lock:
                self._connection = None

    def stop(self) -> None:
        """From another thread. Does nothing when no statement runs."""
        with self._lock:
            wire = getattr(self._connection, "connection", None)
            if wire is not None:
                with contextlib.suppress(Error):
                    wire.cancel_safe(timeout=5)


_work: ContextVar[Work | None] = ContextVar("work", default=None)


class StopWhenLeft:
    """An ASGI application around another."""

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Any) -> None:
        if scope["method"] not in ("GET", "HEAD"):
            await self._application(scope, receive, send)
            return
        whole = asyncio.Event()

        async def heard() -> Mapping[str, Any]:
            message = await receive()
            if not message.get("more_body", False):
                whole.set()
            return message

        work = Work()
        _work.set(work)
        watch = asyncio.create_task(_watch(receive, whole, work))
        try:
            await self._application(scope, heard, send)
        finally:
            watch.cancel()


async def _watch(receive: Receive, whole: asyncio.Event, work: Work) -> None:
    """Wait until the client has left, then stop what is done for it until the request has ended."""
    await whole.wait()
    while (await receive())["type"] != "http.disconnect":
        pass
    while True:
        await asyncio.to_thread(work.stop)
        await asyncio.sleep(AGAIN)


class Interruptible:
    """Middleware: tell the application around Django on which connection this request's statements run."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        work = _work.get()
        if work is None:
            return self.get_response(request)
        with work.runs_on(connection):
            return self.get_response(request)
