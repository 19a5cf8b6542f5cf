"""The ASGI application in front of all HTTP: it takes a token for each request, refuses the request when there is none,
and adds RateLimit-Policy and RateLimit to the answer. `notifier.rates` has the buckets.

| request | whose limit |
|---|---|
| /v1/… with an API key | the tenant's, and the key's own |
| /v1/inbox/… with a recipient token | the token's |
| /v1/receipts/… | the receipts address's |
| /v1/… otherwise, pages of recipients, logins | the client address's; those of proxies and private networks have none |

Static files, pictures, opens and clicks, health checks and the pages of a login have no limit here: mail services
fetch for thousands of people from few addresses.

A request that is let in costs 7 µs of CPU (`python -m bench.api.rate_door`), whatever its limits.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import replace
from typing import Any

import structlog
from django.conf import settings
from rest_framework.exceptions import AuthenticationFailed
from structlog.contextvars import bound_contextvars

from notifier.api.direct.known_keys import KnownKeys
from notifier.api.framework.authentication import digest_of
from notifier.api.framework.errors import problem_of
from notifier.delivery.content.links import browser_link, opt_in_link, preferences_link, unsubscribe_link
from notifier.errors import RateLimited
from notifier.logs import loggable
from notifier.rates import limits
from notifier.rates.leasing import PATIENCE, leasing
from notifier.rates.limits import Caller
from notifier.vocabulary.ids import new_id
from notifier.web.bodies import Receive
from notifier.web.direct import Application, Headers, Send, refusal
from notifier.web.fair_threads import OWNER
from notifier.web.limits import counted_as

log = structlog.get_logger("notifier.rates")

_API, _INBOX, _TOKENS, _RECEIPTS = "/v1/", "/v1/inbox/", "/v1/inbox/tokens", "/v1/receipts/"
_LINKS = (unsubscribe_link.PATH, preferences_link.PATH, opt_in_link.PATH, browser_link.PATH)
#: pages that anyone may open
_PAGES = (*(f"/{path}" for path in _LINKS), "/admin/login/", "/admin/join/", "/admin/oidc/")
_NO_LIMIT = Caller()
#: characters of a receipts address that name its account: provider and id
_ACCOUNT = 80


class RateDoor:
    """Wraps the application that answers everything else."""

    def __init__(self, application: Application, keys: KnownKeys) -> None:
        self._application, self._keys = application, keys

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        caller = await self._caller(scope)
        if not caller.buckets:
            await self._application(scope, receive, send)
            return
        if empty := caller.needs_lease():
            await _lease(caller, len(empty))
        if (refused := caller.take_request()) is not None:
            await _refuse(scope, send, caller, refused)
            return

        async def send_with_fields(message: Mapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *caller.headers()]}
            await send(message)

        await self._application(scope, receive, send_with_fields)

    async def _caller(self, scope: MutableMapping[str, Any]) -> Caller:
        path: str = scope["path"]
        if not path.startswith(_API):
            return _of_address(scope) if path.startswith(_PAGES) else _NO_LIMIT
        if path.startswith(_RECEIPTS):
            account = "/".join(path[len(_RECEIPTS) :].split("/")[:2])[:_ACCOUNT]
            return limits.of_other("receipts", f"receipts:{account}", settings.RATE_LIMIT_RECEIPTS)
        header = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        if path.startswith(_INBOX) and path != _TOKENS:
            return _of_token(header) if header else _of_address(scope)
        return await self._of_key(scope, header) or _of_address(scope)

    async def _of_key(self, scope: MutableMapping[str, Any], header: bytes) -> Caller | None:
        try:
            caller = await self._keys.caller(digest_of(header.decode("latin-1")))
        except AuthenticationFailed:
            return None
        except Exception as error:
            # the view tells the client that the database is away, or that too many keys wait
            log.warning("key not loaded", action="rates", error=type(error).__name__)
            return None
        if caller is None:
            return None
        scope[OWNER] = caller.tenant_id
        return limits.of_key(caller.tenant_id, caller.key_id, caller.tenant_rates, caller.key_rates)


def _of_token(header: bytes) -> Caller:
    digest = hashlib.sha256(header).hexdigest()[:32]
    return limits.of_other("inbox", f"inbox:{digest}", settings.RATE_LIMIT_INBOX)


def _of_address(scope: Mapping[str, Any]) -> Caller:
    client: Sequence[Any] | None = scope.get("client")
    name = counted_as(client[0]) if client else None
    return limits.of_other("address", f"address:{name}", settings.RATE_LIMIT_ADDRESS) if name else _NO_LIMIT


async def _lease(caller: Caller, count: int) -> None:
    """Wait for tokens; without an answer of Redis, take the share of this process."""
    futures = [leasing.ask(bucket) for bucket in caller.needs_lease()[:count]]
    if futures and not leasing.away:
        await asyncio.wait([asyncio.wrap_future(futures[-1])], timeout=PATIENCE)
        if not futures[-1].done():
            leasing.away = True
    if leasing.away:
        limits.fill_empty(caller)


async def _refuse(scope: Mapping[str, Any], send: Send, caller: Caller, refused: RateLimited) -> None:
    request_id = new_id().hex
    with bound_contextvars(request_id=request_id):
        problem = problem_of(refused)
        answer = refusal(problem, scope["path"])
        path = loggable(scope["path"])
        log.info("request", action="request", method=scope["method"], path=path, status=answer.status)
    if not scope["path"].startswith(_API):
        # a person reads it
        answer = replace(answer, content=problem.detail.encode(), content_type="text/plain; charset=utf-8")
    headers: Headers = (
        (b"content-type", answer.content_type.encode()),
        (b"content-length", str(len(answer.content)).encode()),
        (b"x-request-id", request_id.encode()),
        *answer.headers,
        *caller.headers(),
    )
    if scope["path"].startswith(_INBOX):
        headers = (*headers, (b"access-control-allow-origin", b"*"))
    if _has_body(scope):
        # the body is not read, so no request can follow it
        headers = (*headers, (b"connection", b"close"))
    await send({"type": "http.response.start", "status": answer.status, "headers": list(headers)})
    await send({"type": "http.response.body", "body": answer.content})


def _has_body(scope: Mapping[str, Any]) -> bool:
    return any(
        n == b"transfer-encoding" or (n == b"content-length" and v != b"0")
        for n, v in scope["headers"]
        for name, value in scope["headers"]
    )
