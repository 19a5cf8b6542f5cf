"""Answers each HTTP request, from its first middleware to its last, in one thread of a fixed set.

Django's own ASGI handler starts a thread for every request and switches to it for each step of each middleware: up to 2
of the 12.6 ms of CPU that accepting a notification took (0.2 to 2.5, measured on a busy machine). Only the sockets are
asynchronous, and they do not come through this module.

The body is read before a thread is taken, because a slow client must not keep a thread. A large body is read only after
the request has passed the middlewares once without its body, to learn whether its sender may send it
(notifier.web.serving.admission).
"""

from __future__ import annotations

import contextvars
from collections.abc import Awaitable, Callable, Hashable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from io import BytesIO
from typing import IO, Any, NamedTuple, TypeVar

from django.conf import settings
from django.core import signals
from django.core.exceptions import ImproperlyConfigured, RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.db import close_old_connections
from django.http.response import HttpResponseBase
from django.urls import set_script_prefix

from notifier.api.framework.body import MAX_BODY
from notifier.web import limits
from notifier.web.serving.admission import QUESTION, Admission, Admitted, Question
from notifier.web.serving.bodies import (
    Body,
    Receive,
    Scope,
    TooManyUploads,
    TooSlow,
    announced_length,
    document_slot,
    needs_admission,
    upload_slot,
)
from notifier.web.serving.downloads import Download
from notifier.web.serving.fair_threads import FairThreads, owner_of

T = TypeVar("T")
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]


ADMISSION = f"{Admission.__module__}.{Admission.__qualname__}"


class Answer(NamedTuple):
    """The answer to the client. `admitted` is set if it only says that the sender may send a large body."""

    status: int
    headers: Headers
    content: bytes
    admitted: Admitted | None = None
    #: in place of a content: a file that leaves piece by piece
    download: Download | None = None


class ThreadedHandler(ASGIHandler):
    """`threads` is the number of database connections of the process; more threads would wait for one."""

    def __init__(self, threads: int) -> None:
        super().__init__()
        self._threads = FairThreads(threads)

    def load_middleware(self, is_async: bool = False) -> None:
        if ADMISSION not in settings.MIDDLEWARE:
            # the question would reach the view as a request without a body
            raise ImproperlyConfigured(f"MIDDLEWARE lacks {ADMISSION}.")
        super().load_middleware(is_async=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = Body(receive)
        try:
            answer = await self._answered(scope, body)
        except RequestAborted:
            return
        finally:
            body.close()
        # a client that is answered before the end of its body may not send another request behind it
        headers = answer.headers if body.is_complete else [*answer.headers, (b"Connection", b"close")]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        if answer.download is not None:
            await self._send_pieces(answer.download, send, owner_of(scope))
        await send({"type": "http.response.body", "body": answer.content})

    async def _send_pieces(self, download: Download, send: Send, owner: Hashable) -> None:
        """Each piece takes a thread while it is made; a slow reader takes none."""
        pieces = iter(download)
        try:
            while piece := await self._call_in_a_thread(owner, _next_piece, pieces):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        finally:
            await self._call_in_a_thread(owner, download.close)

    async def _answered(self, scope: Scope, body: Body) -> Answer:
        try:
            if not needs_admission(scope) and await body.read(limits.SMALL_BODY):
                return await self._in_a_thread(scope, body.file())
            # a large body is neither read nor stored before its sender is authorized
            authorization = await self._in_a_thread({**scope, QUESTION: Question.MAY_SEND}, BytesIO())
            if authorization.admitted is None:
                return authorization
            return await self._answer_large(scope, body, authorization.admitted)
        except TooSlow:
            return await self._in_a_thread({**scope, QUESTION: Question.TOO_SLOW}, BytesIO())

    async def _answer_large(self, scope: Scope, body: Body, admitted: Admitted) -> Answer:
        if announced_length(scope) > admitted.max_bytes:
            return await self._in_a_thread({**scope, QUESTION: Question.TOO_LARGE}, BytesIO())
        try:
            if announced_length(scope) <= MAX_BODY and not admitted.is_upload and await body.read(MAX_BODY):
                return await self._in_a_thread(scope, body.file())
            with _slot(admitted):
                if await body.read(admitted.max_bytes):
                    return await self._in_a_thread(scope, body.file())
        except TooManyUploads:
            return await self._in_a_thread({**scope, QUESTION: Question.TOO_MANY}, BytesIO())
        return await self._in_a_thread({**scope, QUESTION: Question.TOO_LARGE}, BytesIO())

    async def _in_a_thread(self, scope: Scope, body: IO[bytes]) -> Answer:
        return await self._call_in_a_thread(owner_of(scope), self._answer, scope, body)

    async def _call_in_a_thread(self, owner: Hashable, function: Callable[..., T], *values: Any) -> T:
        # a context of its own: context variables that one request sets are invisible to the next in the same thread
        run_in_context = contextvars.copy_context().run
        return await self._threads.run(owner, run_in_context, function, *values)

    def _answer(self, scope: Scope, body: IO[bytes]) -> Answer:
        """Runs in one of the threads, with a database connection that goes back to the pool at the end."""
        set_script_prefix(get_script_prefix(scope))
        signals.request_started.send(sender=type(self), scope=scope)
        with body:
            request, refusal = self.create_request(scope, body)
            response: Any = refusal if request is None else self.get_response(request)
            response._handler_class = type(self)
            if isinstance(response, Download):
                close_old_connections()
                return Answer(response.status_code, _headers(response), b"", download=response)
            try:
                # any other streamed response is read whole, so that a slow reader keeps no thread: static files
                admitted = getattr(response, "admitted", None)
                return Answer(response.status_code, _headers(response), response.getvalue(), admitted)
            finally:
                response.close()


def _next_piece(pieces: Iterator[bytes]) -> bytes:
    """The next piece that is not empty; an empty one at the end. The thread's database connection goes back to the
    pool."""
    try:
        return next((piece for piece in pieces if piece), b"")
    finally:
        close_old_connections()


def _slot(admitted: Admitted) -> AbstractContextManager[None]:
    """The slot that a large body needs while it comes in and is answered."""
    if admitted.is_upload:
        return upload_slot(admitted.owner)
    return document_slot(admitted.owner) if admitted.max_bytes > MAX_BODY else nullcontext()


def _headers(response: HttpResponseBase) -> Headers:
    headers = [(name.encode("ascii"), value.encode("latin1")) for name, value in response.items()]
    cookies = [
        (b"Set-Cookie", cookie.output(header="").encode("ascii").strip()) for cookie in response.cookies.values()
    ]
    return headers + cookies
