"""HTTP requests, each answered from its first middleware to its last by one thread of a fixed set.

Django's own ASGI handler starts a thread for every request and visits it once for each step of each middleware: up to
2 of the 12.6 ms of CPU that accepting a notification took (0.2 to 2.5, measured on a busy machine). Nothing of ours is
asynchronous but the sockets, which do not come through here.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import IO, Any

from django.core import signals
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.http.response import HttpResponseBase
from django.urls import set_script_prefix

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]


class ThreadedHandler(ASGIHandler):
    """`threads`: as many as the process may have database connections; more would wait for one."""

    def __init__(self, threads: int) -> None:
        super().__init__()
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="request")

    def load_middleware(self, is_async: bool = False) -> None:
        super().load_middleware(is_async=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await self.read_body(receive)
        except RequestAborted:
            return
        # a context of its own, as a request under WSGI servers has not: what one request binds, no other sees
        answer = contextvars.copy_context().run
        loop = asyncio.get_running_loop()
        status, headers, content = await loop.run_in_executor(self._threads, answer, self._answer, scope, body)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    def _answer(self, scope: Scope, body: IO[bytes]) -> tuple[int, Headers, bytes]:
        """In one of the threads; the database connection is its own, and goes back to the pool at the end."""
        set_script_prefix(get_script_prefix(scope))
        signals.request_started.send(sender=type(self), scope=scope)
        with body:
            request, refused = self.create_request(scope, body)
            response: Any = refused if request is None else self.get_response(request)
            response._handler_class = type(self)
            try:
                # a streamed one is read whole: only static files are, and no slow reader may keep a thread
                return response.status_code, _headers(response), response.getvalue()
            finally:
                response.close()


def _headers(response: HttpResponseBase) -> Headers:
    found = [(name.encode("ascii"), value.encode("latin1")) for name, value in response.items()]
    cookies = [
        (b"Set-Cookie", cookie.output(header="").encode("ascii").strip()) for cookie in response.cookies.values()
    ]
    return found + cookies
