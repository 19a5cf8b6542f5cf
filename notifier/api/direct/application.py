"""The ASGI application that answers POST /v1/notifications and /v1/notifications/bulk.

It passes on what it does not answer itself: other addresses and methods, a query, compressed bodies and bodies without
a length, unknown keys, keys without the scope, and notifications with attachments. A bulk body is large, so it is read
only after its key was found.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError
from rest_framework.exceptions import AuthenticationFailed
from structlog.contextvars import bind_contextvars

from notifier.api.direct.known_keys import KnownKeys
from notifier.api.direct.requests import ENDPOINTS, Endpoint, Request
from notifier.api.direct.storing import SCOPE, store
from notifier.api.framework import idempotency
from notifier.api.framework.authentication import ApiCaller, digest_of
from notifier.api.framework.body import MAX_BODY
from notifier.api.framework.errors import problem_of
from notifier.delivery.infra.giving_way import urgent, yielding
from notifier.tracing import spans, switch
from notifier.tracing.context import TRACEPARENT
from notifier.vocabulary.ids import new_id
from notifier.web.limits import SMALL_BODY
from notifier.web.serving.bodies import Receive, Scope, announced_length
from notifier.web.serving.direct import (
    Answer,
    Application,
    Headers,
    Send,
    answer_unread,
    busy,
    is_our_host,
    is_plain,
    is_secure,
    read_again,
    read_and_answer,
    refusal,
)
from notifier.web.serving.group_commit import Busy, GroupCommit, GroupLimits

log = structlog.get_logger("notifier")

#: threads for bulk requests: two, so that a tenant's slow templates do not hold up another tenant; not more, because
#: each thread that makes Python work delays the single notifications of all tenants
BULK_THREADS = 2
_JSON = (b"application/json", b"application/json; charset=utf-8", b"application/json;charset=utf-8")


class _WithAttachments(Exception):
    """Files may take the storage seconds, in which no other request of the tenant should wait: the view answers."""

    def __init__(self, body: bytes) -> None:
        super().__init__()
        self.body = body


class DirectNotifications:
    """Wraps the application that answers everything else. `threads`: for single notifications, each with a database
    connection."""

    def __init__(self, application: Application, threads: int, keys: KnownKeys | None = None) -> None:
        self._application, self._keys = application, keys or KnownKeys()
        self._groups = {
            Endpoint.SINGLE: GroupCommit("notifications", _store_single, GroupLimits(threads=threads)),
            Endpoint.BULK: GroupCommit("bulk", _store_bulk, GroupLimits(threads=BULK_THREADS, calls=1)),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = ENDPOINTS.get(scope.get("raw_path") or b"")
        if endpoint is None or scope.get("query_string") or not is_plain(scope, MAX_BODY):
            await self._application(scope, receive, send)
            return
        began, headers = time.perf_counter(), dict(scope["headers"])
        request = _request(endpoint, headers)
        try:
            caller = await self._caller(request) if request else None
        except (OperationalError, InterfaceError) as error:
            # at once: the view would wait for the database again
            await _refuse(scope, (receive, send), refusal(problem_of(error), endpoint.path))
            return
        if request is None or caller is None or not caller.may(SCOPE):
            await self._application(scope, receive, send)
            return
        bind_contextvars(request_id=request.request_id)  # of this request's task
        if switch.recorder is not None:
            request = _traced(request, headers)
        try:
            answer = await read_and_answer(
                (receive, send),
                MAX_BODY,
                lambda body: self._answer(caller, replace(request, body=body)),
                endpoint.path,
                _headers(scope, headers, request),
            )
        except _WithAttachments as rest:
            await self._application(scope, read_again(rest.body, receive), send)
            return
        if answer is not None:
            if request.trace is not None:
                name = f"POST {endpoint.path}"
                spans.close_request(request.trace, name, answer.status, **{"tenant.id": str(caller.tenant_id)})
            _log(caller, request, answer.status, began)

    async def _caller(self, request: Request) -> ApiCaller | None:
        """The caller; None also when the view must look the key up. Raises the errors of a database that is away."""
        try:
            return await self._keys.caller(request.key_digest)
        except Exception as error:
            log.warning("key not loaded", action="api error", error=type(error).__name__)
            if isinstance(error, OperationalError | InterfaceError):
                raise
            return None

    async def _answer(self, caller: ApiCaller, request: Request) -> Answer:
        if b'"attachments"' in request.body:
            raise _WithAttachments(request.body)
        try:
            return await self._groups[request.endpoint].submit(caller.tenant_id, request, len(request.body))
        except Busy:
            return refusal(busy("requests"), request.endpoint.path)
        except Exception as error:
            log.exception("unexpected error", action="api error")
            return refusal(problem_of(error), request.endpoint.path)


def _store_single(requests: Sequence[Request]) -> list[Answer]:
    with urgent():
        return store(requests)


def _store_bulk(requests: Sequence[Request]) -> list[Answer]:
    with yielding():
        return store(requests)


def _request(endpoint: Endpoint, headers: dict[bytes, bytes]) -> Request | None:
    """The request without its body; None when the view must answer it."""
    key = headers.get(b"idempotency-key")
    if headers.get(b"content-type", b"").lower() not in _JSON or not is_our_host(headers.get(b"host", b"")):
        return None
    if key is not None and not idempotency.is_valid(key.decode("latin-1")):
        return None
    try:
        digest = digest_of(headers.get(b"authorization", b"").decode("latin-1"))
    except AuthenticationFailed:
        return None
    return Request(endpoint, digest, key.decode() if key else None, new_id().hex)


async def _refuse(scope: Scope, streams: tuple[Receive, Send], answer: Answer) -> None:
    """Refuse a request whose sender is not known: a large body of it is not read."""

    async def refused(_: bytes) -> Answer:
        return answer

    if announced_length(scope) > SMALL_BODY:
        await answer_unread(streams[1], answer)
    else:
        await read_and_answer(streams, SMALL_BODY, refused)


def _traced(request: Request, headers: dict[bytes, bytes]) -> Request:
    header = headers.get(TRACEPARENT.encode(), b"").decode("latin-1")
    trace = spans.open_request(f"POST {request.endpoint.path}", header)
    if trace is None:
        return request
    bind_contextvars(trace_id=trace.trace_id)
    return replace(request, trace=trace)


def _headers(scope: Scope, headers: dict[bytes, bytes], request: Request) -> Headers:
    own: Headers = ((b"x-request-id", request.request_id.encode()), (b"x-content-type-options", b"nosniff"))
    if settings.SECURE_HSTS_SECONDS and is_secure(scope, headers):
        return (*own, (b"strict-transport-security", _HSTS % settings.SECURE_HSTS_SECONDS))
    return own


_HSTS = b"max-age=%d; includeSubDomains; preload"


def _log(caller: ApiCaller, request: Request, status: int, began: float) -> None:
    log.info(
        "request",
        action="request",
        method="POST",
        path=request.endpoint.path,
        status=status,
        ms=round((time.perf_counter() - began) * 1000, 1),
        request_id=request.request_id,
        tenant_id=str(caller.tenant_id),
        key_id=str(caller.key_id),
    )
