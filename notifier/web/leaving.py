"""A client that has left waits for nothing: the statement that PostgreSQL still runs for it is stopped.

Two halves: `StopWhenLeft` is the ASGI application around Django, which hears that the client is gone; `Interruptible`
is the middleware that says on which connection of the database the request's statements run. Only GET and HEAD are
stopped: what a POST has begun ends as a whole.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextvars import ContextVar
from threading import Lock
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from psycopg import Error

from notifier.web.bodies import Receive, Scope

Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
#: seconds from one cancellation to the next: a page asks more than one statement
AGAIN = 0.5


class Statements:
    """The statements of one request."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._wrapper: Any = None

    @contextlib.contextmanager
    def on(self, wrapper: Any) -> Iterator[None]:
        """They run on this connection while the block lasts; afterwards the connection is another request's."""
        with self._lock:
            self._wrapper = wrapper
        try:
            yield
        finally:
            with self._lock:
                self._wrapper = None

    def stop(self) -> None:
        """From another thread. Does nothing when no statement runs."""
        with self._lock:
            session = None if self._wrapper is None else self._wrapper.connection
            if session is not None:
                with contextlib.suppress(Error):  # the server went away: nothing runs there
                    session.cancel_safe(timeout=5)


_statements: ContextVar[Statements | None] = ContextVar("statements", default=None)


class StopWhenLeft:
    """An ASGI application around another."""

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in ("GET", "HEAD"):
            await self._application(scope, receive, send)
            return
        whole = asyncio.Event()

        async def heard() -> Mapping[str, Any]:
            message = await receive()
            if not message.get("more_body", False):
                whole.set()
            return message

        statements = Statements()
        _statements.set(statements)
        watch = asyncio.create_task(_watch(receive, whole, statements))
        try:
            await self._application(scope, heard, send)
        finally:
            watch.cancel()


async def _watch(receive: Receive, whole: asyncio.Event, statements: Statements) -> None:
    """Wait until the client has left, then stop what is done for it until the request has ended."""
    await whole.wait()
    while (await receive())["type"] != "http.disconnect":
        pass
    while True:
        await asyncio.to_thread(statements.stop)
        await asyncio.sleep(AGAIN)


class Interruptible:
    """Middleware: tell on which connection this request's statements run."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        statements = _statements.get()
        if statements is None:
            return self.get_response(request)
        # of this thread: `django.db.connection` would be the connection of whoever asks it
        with statements.on(connections[DEFAULT_DB_ALIAS]):
            return self.get_response(request)
