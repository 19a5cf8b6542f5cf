"""The ASGI application in front of all HTTP: it takes a token for each request, refuses the request when there is none,
and adds RateLimit-Policy and RateLimit to the answer. `notifier.rates` has the buckets.

| request | whose limit |
|---|---|
| /v1/… with an API key | the tenant's, and the key's own |
| /v1/inbox/… with a recipient token that a view has accepted | the token's |
| /v1/receipts/… with an address that a view has accepted | the receipts address's |
| /v1/… otherwise, pages of recipients, logins | the client address's; those of proxies and private networks have none |

A credential that this process has not seen accepted takes a token of the client address before anyone looks it up. An
unknown API key that turns out to exist takes a token of its own limits, too.

Static files, pictures, opens and clicks, health checks and the pages of a login have no limit here: mail services
fetch for thousands of people from few addresses.

A request that is let in costs 7 µs of CPU (`python -m bench.api.rate_door`), whatever its limits.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, MutableMapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, NamedTuple

import structlog
from django.conf import settings
from rest_framework.exceptions import AuthenticationFailed
from structlog.contextvars import bound_contextvars

from notifier.api.direct.known_keys import KnownKeys
from notifier.api.framework.authentication import ApiCaller, digest_of
from notifier.api.framework.errors import problem_of
from notifier.delivery.content.links import browser_link, opt_in_link, preferences_link, unsubscribe_link
from notifier.errors import RateLimited
from notifier.logs import loggable
from notifier.rates import limits
from notifier.rates.bucket import Bucket
from notifier.rates.leasing import leasing
from notifier.rates.limits import MOST, Caller
from notifier.rates.recent import Recent
from notifier.vocabulary.ids import new_id
from notifier.web.limits import counted_as
from notifier.web.serving.bodies import Receive
from notifier.web.serving.direct import Application, Headers, Send, refusal
from notifier.web.serving.fair_threads import OWNER

log = structlog.get_logger("notifier.rates")

_API, _INBOX, _TOKENS, _RECEIPTS = "/v1/", "/v1/inbox/", "/v1/inbox/tokens", "/v1/receipts/"
_LINKS = (unsubscribe_link.PATH, preferences_link.PATH, opt_in_link.PATH, browser_link.PATH)
#: pages that anyone may open
_PAGES = (*(f"/{path}" for path in _LINKS), "/admin/login/", "/admin/join/", "/admin/oidc/")
_NO_LIMIT = Caller()
#: characters of a receipts address that name its account: provider and id
_ACCOUNT = 80
#: the credentials that a view of this process has accepted
_verified = Recent[bool](MOST)
#: whose limits hold, and the refusal when one of them is used up
Entry = tuple[Caller, RateLimited | None]


class RateDoor:
    """Wraps the application that answers everything else."""

    def __init__(self, application: Application, keys: KnownKeys) -> None:
        self._application, self._keys = application, keys
        self._sought: set[bytes] = set()  #: unknown keys that are being looked up

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        credential = _credential(scope)
        caller, refused = await (self._let_in(scope) if credential is None else _enter(_of(credential, scope)))
        if refused is not None:
            await _refuse(scope, send, caller, refused)
            return
        if not caller.buckets:
            await self._application(scope, receive, send)
            return

        async def send_with_fields(message: Mapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                if credential is not None and message["status"] < 300 and scope["method"] != "OPTIONS":
                    _verified.put(credential.name, True)
                message = {**message, "headers": [*message["headers"], *caller.headers()]}
            await send(message)

        await self._application(scope, receive, send_with_fields)

    async def _let_in(self, scope: MutableMapping[str, Any]) -> Entry:
        """Of a request whose only credential may be an API key."""
        path: str = scope["path"]
        if not path.startswith(_API):
            return await _enter(_of_address(scope) if path.startswith(_PAGES) else _NO_LIMIT)
        try:
            digest = digest_of(_authorization(scope).decode("latin-1"))
        except AuthenticationFailed:
            return await _enter(_of_address(scope))
        return await self._let_key_in(scope, digest)

    async def _let_key_in(self, scope: MutableMapping[str, Any], digest: bytes) -> Entry:
        known, is_new = self._keys.remembered(digest)
        address: Entry | None = None
        if known is None and digest not in self._sought:
            # before PostgreSQL is asked: anyone can invent keys. Of many calls with one key the first pays
            self._sought.add(digest)
            try:
                address = await _enter(_of_address(scope))
                if address[1] is not None:
                    return address
                known = await self._loaded(digest, None)
            finally:
                self._sought.discard(digest)
        elif not is_new:
            known = await self._loaded(digest, known)
        if known is None:
            return address or await _enter(_of_address(scope))
        scope[OWNER] = known.tenant_id
        return await _enter(limits.of_key(known.tenant_id, known.key_id, known.tenant_rates, known.key_rates))

    async def _loaded(self, digest: bytes, known: ApiCaller | None) -> ApiCaller | None:
        """The caller as the database has it; as it was known when the database does not answer."""
        try:
            return await self._keys.caller(digest)
        except Exception as error:
            # the view tells the client that the database is away, or that too many keys wait
            log.warning("key not loaded", action="rates", error=type(error).__name__)
            return known


class _Credential(NamedTuple):
    """What a request shows in place of an API key."""

    name: str  #: of exactly this credential
    limit: str
    key: str  #: of the bucket
    rate: float


def _credential(scope: Mapping[str, Any]) -> _Credential | None:
    path: str = scope["path"]
    if path.startswith(_RECEIPTS):
        account = "/".join(path[len(_RECEIPTS) :].split("/")[:2])[:_ACCOUNT]
        name = hashlib.sha256(path.encode(errors="replace")).hexdigest()
        return _Credential(name, "receipts", f"receipts:{account}", settings.RATE_LIMIT_RECEIPTS)
    if path.startswith(_INBOX) and path != _TOKENS and (header := _authorization(scope)):
        digest = hashlib.sha256(header).hexdigest()[:32]
        return _Credential(digest, "inbox", f"inbox:{digest}", settings.RATE_LIMIT_INBOX)
    return None


def _of(credential: _Credential, scope: Mapping[str, Any]) -> Caller:
    """The credential's limit when a view has accepted the credential, else the client address's, if it has one: anyone
    can invent tokens, and each would have a bucket."""
    if not _verified.get(credential.name) and (address := _of_address(scope)).buckets:
        return address
    return limits.of_other(credential.limit, credential.key, credential.rate)


def _authorization(scope: Mapping[str, Any]) -> bytes:
    return next((value for name, value in scope["headers"] if name == b"authorization"), b"")


def _of_address(scope: Mapping[str, Any]) -> Caller:
    client: Sequence[Any] | None = scope.get("client")
    name = counted_as(client[0]) if client else None
    return limits.of_other("address", f"address:{name}", settings.RATE_LIMIT_ADDRESS) if name else _NO_LIMIT


async def _enter(caller: Caller) -> Entry:
    """Take a token for the request."""
    if caller.needs_lease():
        await _lease(caller)
    return caller, caller.take_request()


async def _lease(caller: Caller) -> None:
    """Wait until the caller's limits have a token, or Redis has none left; without an answer of Redis, take the share
    of this process."""
    wanted: Sequence[Bucket] = caller.buckets
    while wanted:
        future = leasing.ask(wanted, 1.0)
        if leasing.is_silent or not await _answered(future):
            leasing.fill(wanted)
            return
        # requests that waited, too, may have taken all of it
        empty = [bucket for bucket in caller.requests if bucket.tokens < 1.0]
        wanted = [] if any(bucket.left < 1.0 for bucket in empty) else empty


async def _answered(future: Future[bool]) -> bool:
    await asyncio.wait([asyncio.wrap_future(future)], timeout=leasing.patience)
    return future.done() and future.result()


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
    return any(n == b"transfer-encoding" or (n == b"content-length" and v != b"0") for n, v in scope["headers"])
