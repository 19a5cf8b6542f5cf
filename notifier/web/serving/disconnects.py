"""Cancels the SQL statements of a request whose client has disconnected.

`CancelOnDisconnect` is the ASGI application around Django; the server tells it that the client has disconnected.
`InterruptibleStatements` is the middleware that records on which database connection the request's statements run. Only
GET and HEAD are cancelled: a POST always runs to its end.
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

from notifier.web.serving.bodies import Receive, Scope

Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
#: seconds from one cancellation to the next: a page runs more than one statement
CANCEL_INTERVAL = 0.5


class RunningStatements:
    """The statements of one request, which another thread may cancel."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._wrapper: Any = None

    @contextlib.contextmanager
    def on(self, wrapper: Any) -> Iterator[None]:
        """The statements run on this connection during the block; afterwards the connection may serve another
        request."""
        with self._lock:
            before, self._wrapper = self._wrapper, wrapper
        try:
            yield
        finally:
            with self._lock:
                self._wrapper = before

    def cancel(self) -> None:
        """Cancel the running statement, if there is one. Called from another thread."""
        with self._lock:
            session = None if self._wrapper is None else self._wrapper.connection
            if session is not None:
                with contextlib.suppress(Error):  # the database server is away, so no statement runs
                    session.cancel_safe(timeout=5)


_statements: ContextVar[RunningStatements | None] = ContextVar("statements", default=None)


class CancelOnDisconnect:
    """An ASGI application that wraps another."""

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in ("GET", "HEAD"):
            await self._application(scope, receive, send)
            return
        body_is_complete = asyncio.Event()

        async def receive_body() -> Mapping[str, Any]:
            message = await receive()
            if not message.get("more_body", False):
                body_is_complete.set()
            return message

        statements = RunningStatements()
        _statements.set(statements)
        watch = asyncio.create_task(_watch(receive, body_is_complete, statements))
        try:
            await self._application(scope, receive_body, send)
        finally:
            watch.cancel()


async def _watch(receive: Receive, body_is_complete: asyncio.Event, statements: RunningStatements) -> None:
    """Wait until the client disconnects, then cancel its statements until the request has ended."""
    await body_is_complete.wait()
    while (await receive())["type"] != "http.disconnect":
        pass
    while True:
        await asyncio.to_thread(statements.cancel)
        await asyncio.sleep(CANCEL_INTERVAL)


@contextlib.contextmanager
def statements_on(wrapper: Any) -> Iterator[None]:
    """The request's statements run on another connection during the block."""
    statements = _statements.get()
    if statements is None:
        yield
        return
    with statements.on(wrapper):
        yield


class InterruptibleStatements:
    """Middleware: records on which connection this request's statements run."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        statements = _statements.get()
        if statements is None:
            return self.get_response(request)
        # the connection of this thread; `django.db.connection` is a proxy and would mean the cancelling thread's
        with statements.on(connections[DEFAULT_DB_ALIAS]):
            return self.get_response(request)
