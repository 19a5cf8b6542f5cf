"""The worker's loop: pack, claim, send, settle. The requests are in flight in a loop of their own (PostLoop); this
thread alone speaks to the database."""

from __future__ import annotations

import ssl
import time
import uuid
from concurrent.futures import FIRST_COMPLETED, Future, wait
from datetime import UTC, datetime
from functools import lru_cache

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError

from notifier.models import WebhookEndpoint, WebhookMessage
from notifier.transport.https_post import Answer, PostFailed, PostLoop, Request
from notifier.webhooks import bodies, claims, endpoints, packing, settling
from notifier.webhooks.bodies import Spooled
from notifier.webhooks.claims import LEASE, Claim
from notifier.webhooks.schedule import Result
from notifier.webhooks.settling import Attempt
from notifier.webhooks.signing import signed_headers

log = structlog.get_logger("notifier.webhooks")
#: requests in flight of one worker: one an endpoint
SLOTS = 64
#: seconds between two passes over the spool
PACKING = 1.0
#: seconds after which a run takes nothing new, so that a worker can end
RUN = 20.0
#: seconds until an attempt is settled again whose endpoint another transaction held
LATER = 1.0
#: what an owner reads of an attempt that an error of Notifier ended
_INTERNAL = "an internal error of Notifier"
_USER_AGENT = "Notifier-Webhooks/1"


def run(seconds: float = RUN) -> int:
    """Send what is due, for so long at most, and until nothing is due; returns how many attempts were settled."""
    packing.pack_all()
    first = claims.claim(SLOTS)
    if not first:
        return 0
    with PostLoop(_context(settings.WEBHOOK_CA)) as loop:
        return _Run(loop, time.monotonic() + seconds).go(first)


@lru_cache(maxsize=4)
def _context(ca: str) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca:
        context.load_verify_locations(ca)
    return context


class _Run:
    """The requests of one run. An error ends one attempt, never the run: the requests of all tenants are in it."""

    def __init__(self, loop: PostLoop, until: float) -> None:
        self._loop, self._until = loop, until
        self._in_flight: dict[Future[Answer], tuple[Claim, float]] = {}
        #: when to settle again, and until when
        self._later: list[tuple[float, float, Attempt]] = []
        self._settled = 0
        self._pack_at = time.monotonic() + PACKING

    def go(self, first: list[Claim]) -> int:
        claimed = first
        while True:
            self._begin(claimed)
            self._finish(PACKING)
            if time.monotonic() >= self._pack_at:
                packing.pack_all(PACKING, lambda: self._finish(0))
                self._pack_at = time.monotonic() + PACKING
            free = SLOTS - len(self._in_flight) - len(self._later)
            claimed = claims.claim(free) if free > 0 and time.monotonic() < self._until else []
            if not claimed and not self._in_flight and not self._later:
                return self._settled

    def _begin(self, claimed: list[Claim]) -> None:
        if not claimed:
            return
        of_endpoints = WebhookEndpoint.objects.in_bulk([claim.endpoint_id for claim in claimed])
        messages = WebhookMessage.objects.in_bulk([claim.message_id for claim in claimed])
        rows = bodies.spooled(messages.values())
        for claim in claimed:
            try:
                self._send(claim, of_endpoints.get(claim.endpoint_id), messages.get(claim.message_id), rows)
            except Exception:
                _log_error("webhook request not made", claim)
                self._store(Attempt(claim, Result(error=_INTERNAL), 0))

    def _send(
        self, claim: Claim, endpoint: WebhookEndpoint | None, message: WebhookMessage | None, rows: Spooled
    ) -> None:
        body = bodies.body_of(message, rows) if message else None
        if endpoint is None or body is None:
            settling.drop(claim)
            return
        try:
            request = request_of(endpoint, claim.message_id, body, datetime.now(UTC))
        except ValueError as error:
            # the URL is not allowed any more, or the encryption key is gone
            self._store(Attempt(claim, Result(error=str(error)[:200]), 0))
            return
        self._in_flight[self._loop.submit(request)] = (claim, time.monotonic())

    def _finish(self, seconds: float) -> None:
        """Settle what is answered, waiting so long for it at most."""
        if self._in_flight:
            done, _ = wait(self._in_flight, timeout=seconds, return_when=FIRST_COMPLETED)
            for future in done:
                self._settle(future)
        elif self._later:
            time.sleep(min(seconds, LATER))
        now = time.monotonic()
        due = [entry for entry in self._later if entry[0] <= now]
        self._later = [entry for entry in self._later if entry[0] > now]
        for _at, until, attempt in due:
            self._store(attempt, until)

    def _settle(self, future: Future[Answer]) -> None:
        claim, began = self._in_flight.pop(future)
        latency_ms = int((time.monotonic() - began) * 1000)
        try:
            answer = future.result()
        except PostFailed as error:
            self._store(Attempt(claim, Result(error=str(error)), latency_ms))
        except Exception:
            _log_error("webhook request broke off", claim)
            self._store(Attempt(claim, Result(error=_INTERNAL), latency_ms))
        else:
            self._store(Attempt(claim, Result(answer.status, answer.headers), latency_ms, answer.body))

    def _store(self, attempt: Attempt, until: float | None = None) -> None:
        """`until`: when to cease; the lease is over then, and the message is sent again."""
        try:
            self._settled += settling.settle(attempt)
        except (OperationalError, InterfaceError):
            # a replay or a form holds the endpoint, or the database is away
            now = time.monotonic()
            until = now + LEASE if until is None else until
            if now < until:
                self._later.append((now + LATER, until, attempt))
            else:
                _log_error("webhook attempt not stored", attempt.claim)
        except Exception:
            _log_error("webhook attempt not stored", attempt.claim)
            if attempt.result.error != _INTERNAL:
                # nothing of the answer, so that what could not be read cannot break this as well: the endpoint pauses
                self._store(Attempt(attempt.claim, Result(error=_INTERNAL), attempt.latency_ms), until)


def _log_error(what: str, claim: Claim) -> None:
    log.exception(what, action="webhook", endpoint=str(claim.endpoint_id), message=str(claim.message_id))


def request_of(endpoint: WebhookEndpoint, message_id: uuid.UUID, body: bytes, now: datetime) -> Request:
    """The signed request. Raises ValueError."""
    headers = {
        "User-Agent": _USER_AGENT,
        "Content-Type": "application/json",
        **endpoints.headers_of(endpoint),
        **signed_headers(message_id, int(now.timestamp()), body, endpoints.secrets_of(endpoint, now)),
    }
    return Request(endpoints.parse_url(endpoint.url), headers, body)
