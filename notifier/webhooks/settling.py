"""Writes what became of an attempt, in one transaction. A worker that lost its lease changes nothing: the other worker
sends the message again, under the same id."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import structlog
from django.db import connection, transaction
from django.db.models.functions import Now

from notifier.models import WebhookAttempt, WebhookEndpoint, WebhookMessage
from notifier.values.text import cleaned
from notifier.webhooks import disabling, schedule
from notifier.webhooks.claims import Claim
from notifier.webhooks.schedule import Result

log = structlog.get_logger("notifier.webhooks")
#: characters of an answer that are kept
KEPT_ANSWER = 1024
#: how long one attempt waits for a lock that a replay or a form holds: the worker's one thread settles for all tenants
LOCK_WAIT = "100ms"
State = WebhookMessage.State


class Attempt(NamedTuple):
    """One request, and what became of it."""

    claim: Claim
    result: Result
    latency_ms: int
    answer: bytes = b""


def settle(attempt: Attempt) -> bool:
    """False when the claim was over. Raises OperationalError when another transaction holds the endpoint. Locks are
    taken in this order everywhere: the endpoint, then its messages."""
    now = datetime.now(UTC)
    with transaction.atomic():
        _wait_shortly()
        held = WebhookEndpoint.objects.select_for_update().filter(
            pk=attempt.claim.endpoint_id, fence=attempt.claim.fence
        )
        endpoint = held.first()
        message = WebhookMessage.objects.filter(pk=attempt.claim.message_id).first()
        if endpoint is None or message is None:
            return False
        _keep(attempt, endpoint, now)
        endpoint.lease_until = None
        if attempt.result.succeeded:
            _succeeded(endpoint, message, now)
        else:
            _failed(endpoint, message, attempt.result, now)
    result = attempt.result
    log.info(
        "webhook",
        action="webhook",
        tenant=str(endpoint.tenant_id),
        endpoint=str(endpoint.pk),
        message=str(message.pk),
        events=message.events,
        status=result.status or 0,
        failure="" if result.succeeded else result.words,
        ms=attempt.latency_ms,
    )
    return True


def drop(claim: Claim) -> None:
    """End a message whose events are deleted by now. Raises OperationalError as `settle`."""
    with transaction.atomic():
        _wait_shortly()
        held = WebhookEndpoint.objects.filter(pk=claim.endpoint_id, fence=claim.fence)
        if held.update(lease_until=None):
            WebhookMessage.objects.filter(pk=claim.message_id).update(state=State.FAILED, ended_at=Now())


def _wait_shortly() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [LOCK_WAIT])


def _keep(attempt: Attempt, endpoint: WebhookEndpoint, now: datetime) -> None:
    result = attempt.result
    WebhookAttempt.objects.create(
        tenant_id=endpoint.tenant_id,
        endpoint_id=endpoint.pk,
        message_id=attempt.claim.message_id,
        at=now,
        status=result.status,
        error="" if result.succeeded else result.words[:200],
        latency_ms=attempt.latency_ms,
        answer=cleaned(attempt.answer.decode(errors="replace"))[:KEPT_ANSWER],
    )


def _succeeded(endpoint: WebhookEndpoint, message: WebhookMessage, now: datetime) -> None:
    WebhookMessage.objects.filter(pk=message.pk).update(state=State.DONE, ended_at=now, attempts=message.attempts + 1)
    if endpoint.failures >= schedule.DOWN:
        # it is back: what waits for a later attempt leaves now, the oldest first
        waiting = WebhookMessage.objects.filter(endpoint_id=endpoint.pk, state=State.WAITING, attempts__gt=0)
        waiting.update(due_at=now)
    endpoint.failures, endpoint.failing_since, endpoint.last_error = 0, None, ""
    endpoint.succeeded_at = endpoint.resume_at = now
    endpoint.save(update_fields=["lease_until", "failures", "failing_since", "last_error", "succeeded_at", "resume_at"])


def _failed(endpoint: WebhookEndpoint, message: WebhookMessage, result: Result, now: datetime) -> None:
    endpoint.failures += 1
    endpoint.failing_since = endpoint.failing_since or now
    endpoint.last_error = result.words[:200]
    attempts = message.attempts + 1
    follows = schedule.after_failure(result, attempts, now - message.begun_at, endpoint.failures, random.random)
    endpoint.resume_at = now + timedelta(seconds=follows.pause)
    endpoint.save(update_fields=["lease_until", "failures", "failing_since", "last_error", "resume_at"])
    columns = {"attempts": attempts}
    if follows.wait is None:
        WebhookMessage.objects.filter(pk=message.pk).update(**columns, state=State.FAILED, ended_at=now)
    else:
        due_at = now + timedelta(seconds=follows.wait)
        WebhookMessage.objects.filter(pk=message.pk).update(**columns, due_at=due_at)
    if result.gone:
        disabling.disable(endpoint, "The server answered 410 Gone.")
    elif schedule.must_disable(endpoint.failing_since, endpoint.failures, now):
        days = schedule.DISABLE.days
        disabling.disable(endpoint, f"Every attempt of {days} days failed, the last one with: {result.words}"[:200])
