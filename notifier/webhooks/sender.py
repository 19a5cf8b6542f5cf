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

from notifier.models import WebhookEndpoint, WebhookMessage
from notifier.transport.https_post import Answer, PostFailed, PostLoop, Request
from notifier.webhooks import bodies, claims, endpoints, packing, settling
from notifier.webhooks.claims import Claim
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
    """The requests of one run."""

    def __init__(self, loop: PostLoop, until: float) -> None:
        self._loop, self._until = loop, until
        self._in_flight: dict[Future[Answer], tuple[Claim, float]] = {}
        self._pack_at = time.monotonic() + PACKING

    def go(self, first: list[Claim]) -> int:
        settled = 0
        claimed = first
        while True:
            self._begin(claimed)
            if self._in_flight:
                done, _ = wait(self._in_flight, timeout=PACKING, return_when=FIRST_COMPLETED)
                settled += sum(self._settle(future) for future in done)
            now = time.monotonic()
            if now >= self._pack_at:
                packing.pack_all()
                self._pack_at = now + PACKING
            free = SLOTS - len(self._in_flight)
            claimed = claims.claim(free) if free and now < self._until else []
            if not claimed and not self._in_flight:
                return settled

    def _begin(self, claimed: list[Claim]) -> None:
        if not claimed:
            return
        of_endpoints = WebhookEndpoint.objects.in_bulk([claim.endpoint_id for claim in claimed])
        messages = WebhookMessage.objects.in_bulk([claim.message_id for claim in claimed])
        body_of = bodies.bodies_of(messages.values())
        for claim in claimed:
            endpoint, body = of_endpoints.get(claim.endpoint_id), body_of.get(claim.message_id)
            if endpoint is None or body is None:
                settling.drop(claim)
                continue
            try:
                request = request_of(endpoint, claim.message_id, body, datetime.now(UTC))
            except ValueError as error:
                # the URL is not allowed any more, or the encryption key is gone
                settling.settle(Attempt(claim, Result(error=str(error)[:200]), 0))
                continue
            self._in_flight[self._loop.submit(request)] = (claim, time.monotonic())

    def _settle(self, future: Future[Answer]) -> bool:
        claim, began = self._in_flight.pop(future)
        latency_ms = int((time.monotonic() - began) * 1000)
        try:
            answer = future.result()
        except PostFailed as error:
            return settling.settle(Attempt(claim, Result(error=str(error)), latency_ms))
        result = Result(answer.status, answer.headers)
        return settling.settle(Attempt(claim, result, latency_ms, answer.body))


def request_of(endpoint: WebhookEndpoint, message_id: uuid.UUID, body: bytes, now: datetime) -> Request:
    """The signed request. Raises ValueError."""
    headers = {
        "User-Agent": _USER_AGENT,
        "Content-Type": "application/json",
        **endpoints.headers_of(endpoint),
        **signed_headers(message_id, int(now.timestamp()), body, endpoints.secrets_of(endpoint, now)),
    }
    return Request(endpoints.parse_url(endpoint.url), headers, body)
