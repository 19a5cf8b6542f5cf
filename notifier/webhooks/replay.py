"""Events again: messages that the endpoint had leave anew, under their own ids; events that it never had become new
messages. A receiver that keeps the ids of events does nothing twice."""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.db.models import QuerySet

from notifier.errors import Conflict, InvalidInput, NotFound
from notifier.models import WebhookEndpoint, WebhookMessage, WebhookSpool
from notifier.vocabulary.ids import new_id
from notifier.vocabulary.webhooks import EventType, matches
from notifier.webhooks import packing
from notifier.webhooks.packing import SpoolRow, spool_row
from tenants import audit
from tenants.audit import Actor

#: rows of the spool, of up to 100 events each, that one replay may read
MOST_ROWS = 20_000
_EVENT_ID = re.compile(r"evt_([0-9a-f]{32})_[0-9]{1,3}")
_MISSED = """
SELECT s.id, s.created_at, jsonb_path_query_array(s.events, '$[*].type')::text FROM notifier_webhookspool s
WHERE s.tenant_id = %(tenant)s AND s.packed AND s.created_at >= %(since)s AND s.created_at < %(until)s
  AND NOT s.id = ANY(%(had)s::uuid[])
ORDER BY s.created_at, s.id LIMIT %(limit)s
"""


class Span(NamedTuple):
    """Which events: by the time when they happened, and by type (without one: those of the endpoint's filters)."""

    since: datetime
    until: datetime
    event_types: Sequence[str] = ()


def replay(endpoint: WebhookEndpoint, span: Span, by: Actor) -> int:
    """Returns how many messages leave. Raises InvalidInput for a span that is too long, Conflict for a disabled
    endpoint."""
    _must_be_enabled(endpoint)
    if span.since >= span.until:
        raise InvalidInput("`since` must be before `until`.", field="since")
    with transaction.atomic():
        repeated = _repeat(_of_span(endpoint, span))
        filters = list(span.event_types) or endpoint.event_types
        missed = packing.store(endpoint, packing.batches(_missed(endpoint, span), filters), filters)
        _record(endpoint, by, since=span.since.isoformat(), until=span.until.isoformat(), messages=repeated + missed)
    return repeated + missed


def replay_event(endpoint: WebhookEndpoint, event_id: str, by: Actor) -> int:
    """The message that had the event leaves anew, with its other events; an event that the endpoint never had leaves
    alone. Raises NotFound, or Conflict for a disabled endpoint."""
    _must_be_enabled(endpoint)
    row, event_type = _find(endpoint, event_id)
    with transaction.atomic():
        had = WebhookMessage.objects.filter(endpoint_id=endpoint.pk, spool_ids__contains=[row.pk])
        fitting = [m.pk for m in had if event_id in m.only or (not m.only and matches(m.filters, event_type))]
        repeated = _repeat(WebhookMessage.objects.filter(pk__in=fitting))
        if not repeated:
            _store_alone(endpoint, row, event_id, event_type)
        _record(endpoint, by, event=event_id)
    return max(repeated, 1)


def replay_message(endpoint: WebhookEndpoint, message_id: uuid.UUID, by: Actor) -> None:
    """Raises NotFound, or Conflict for a disabled endpoint."""
    _must_be_enabled(endpoint)
    with transaction.atomic():
        if not _repeat(WebhookMessage.objects.filter(pk=message_id, endpoint_id=endpoint.pk)):
            raise NotFound("There is no such message.", field="message")
        _record(endpoint, by, message=str(message_id))


def send_example(endpoint: WebhookEndpoint, by: Actor) -> WebhookMessage:
    """An event that says nothing, whatever the filters. Raises Conflict for a disabled endpoint."""
    _must_be_enabled(endpoint)
    with transaction.atomic():
        message = _message(endpoint, [str(EventType.EXAMPLE)])
        message.save(force_insert=True)
        # it need not wait until a failing endpoint is asked again
        WebhookEndpoint.objects.filter(pk=endpoint.pk).update(resume_at=datetime.now(UTC))
        audit.record(endpoint.tenant_id, "webhook_endpoint.test", endpoint.pk, {}, by)
    return message


def _must_be_enabled(endpoint: WebhookEndpoint) -> None:
    if not endpoint.enabled:
        raise Conflict("The endpoint is disabled: enable it first.", code="endpoint_disabled")


def _record(endpoint: WebhookEndpoint, by: Actor, **detail: object) -> None:
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(resume_at=datetime.now(UTC))
    audit.record(endpoint.tenant_id, "webhook_endpoint.replay", endpoint.pk, detail, by)


def _repeat(messages: QuerySet[WebhookMessage]) -> int:
    now = datetime.now(UTC)
    return messages.update(state=WebhookMessage.State.WAITING, attempts=0, due_at=now, begun_at=now, ended_at=None)


def _of_span(endpoint: WebhookEndpoint, span: Span) -> QuerySet[WebhookMessage]:
    messages = WebhookMessage.objects.filter(
        endpoint_id=endpoint.pk, created_at__gte=span.since, created_at__lt=span.until
    ).exclude(spool_ids=[])
    if span.event_types:
        messages = messages.filter(event_types__overlap=[t for t in EventType if matches(span.event_types, t)])
    return messages


def _missed(endpoint: WebhookEndpoint, span: Span) -> list[SpoolRow]:
    """Rows of the spool that no message of the endpoint has."""
    of_endpoint = WebhookMessage.objects.filter(endpoint_id=endpoint.pk, created_at__lt=span.until)
    had = [i for ids in of_endpoint.values_list("spool_ids", flat=True).iterator(2_000) for i in ids]
    values: dict[str, Any] = {"tenant": endpoint.tenant_id, "since": span.since, "until": span.until, "had": had}
    with connection.cursor() as cursor:
        cursor.execute(_MISSED, {**values, "limit": MOST_ROWS + 1})
        rows = [spool_row(*row) for row in cursor.fetchall()]
    if len(rows) > MOST_ROWS:
        raise InvalidInput("So many events happened in this time: replay shorter spans.", field="since")
    return rows


def _find(endpoint: WebhookEndpoint, event_id: str) -> tuple[WebhookSpool, str]:
    parts = _EVENT_ID.fullmatch(event_id)
    spooled = WebhookSpool.objects.filter(pk=uuid.UUID(parts[1]), tenant_id=endpoint.tenant_id) if parts else []
    for row in spooled:
        for event in row.events:
            if event["id"] == event_id:
                return row, event["type"]
    raise NotFound("There is no such event; events are kept for 30 days.", field="event")


def _store_alone(endpoint: WebhookEndpoint, row: WebhookSpool, event_id: str, event_type: str) -> None:
    message = _message(endpoint, [event_type])
    message.spool_ids, message.only, message.created_at = [row.pk], [event_id], row.created_at
    message.save(force_insert=True)


def _message(endpoint: WebhookEndpoint, event_types: list[str]) -> WebhookMessage:
    now = datetime.now(UTC)
    return WebhookMessage(
        id=new_id(),
        tenant_id=endpoint.tenant_id,
        endpoint_id=endpoint.pk,
        event_types=event_types,
        events=1,
        due_at=now,
        begun_at=now,
        created_at=now,
    )
