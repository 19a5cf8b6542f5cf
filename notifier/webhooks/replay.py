"""Events again: messages that the endpoint had leave anew, under their own ids; events that it never had become new
messages. A receiver that keeps the ids of events does nothing twice.

What leaves is looked up before anything is locked; then the endpoint is locked, and after it its messages, as in
`settling`: the worker that sends to the endpoint meanwhile settles its attempt when the replay has ended.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.db.models import QuerySet

from notifier.errors import Conflict, InvalidInput, NotFound
from notifier.models import WebhookEndpoint, WebhookMessage, WebhookSpool
from notifier.vocabulary.ids import new_id
from notifier.vocabulary.webhooks import KEPT, EventType, matches
from notifier.webhooks import packing
from notifier.webhooks.packing import SpoolRow, spool_row
from tenants import audit
from tenants.audit import Actor

#: rows of the spool, of up to 100 events each, and requests that one replay may send
MOST_ROWS, MOST_REQUESTS = 20_000, 20_000
_EVENT_ID = re.compile(r"evt_([0-9a-f]{32})_[0-9]{1,3}")
_ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtext('webhook replay'), hashtext(%s))"
_TYPES = "jsonb_path_query_array(s.events, '$[*].type')"
# A message has events of `packing.SPAN` after its beginning. Filters have no comma
_MISSED = f"""
WITH had AS MATERIALIZED (
  SELECT unnest(m.spool_ids) AS id FROM notifier_webhookmessage m
  WHERE m.endpoint_id = %(endpoint)s AND m.created_at >= %(begun)s AND m.created_at < %(until)s
    AND m.only = '{{}}' AND array_to_string(m.filters, ',') = ANY(%(complete)s::text[])
)
SELECT s.id, s.created_at, {_TYPES}::text FROM notifier_webhookspool s
WHERE s.tenant_id = %(tenant)s AND s.packed AND s.created_at >= %(since)s AND s.created_at < %(until)s
  AND NOT EXISTS (SELECT FROM had h WHERE h.id = s.id) AND {_TYPES} ?| %(wanted)s::text[]
ORDER BY s.created_at, s.id LIMIT %(limit)s
"""
_HAD = """
SELECT m.id FROM notifier_webhookmessage m
WHERE m.endpoint_id = %(endpoint)s AND m.created_at >= %(begun)s AND m.created_at < %(until)s AND m.spool_ids <> '{}'
  AND m.event_types::text[] && %(wanted)s::text[]
  AND (m.created_at >= %(since)s
       OR EXISTS (SELECT FROM notifier_webhookspool s WHERE s.id = ANY(m.spool_ids) AND s.created_at >= %(since)s))
LIMIT %(limit)s
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
        _wait_for_other_replays(endpoint)
        filters = list(span.event_types) or endpoint.event_types
        values = _values(endpoint, span, filters)
        had, missed = _had(values), list(packing.batches(_missed(values), filters))
        _lock(endpoint)
        n = _repeat(WebhookMessage.objects.filter(pk__in=had)) + packing.store(endpoint, missed, filters)
        _record(endpoint, by, since=span.since.isoformat(), until=span.until.isoformat(), messages=n)
    return n


def replay_event(endpoint: WebhookEndpoint, event_id: str, by: Actor) -> int:
    """The message that had the event leaves anew, with its other events; an event that the endpoint never had leaves
    alone. Raises NotFound, or Conflict for a disabled endpoint."""
    _must_be_enabled(endpoint)
    row, event_type = _find(endpoint, event_id)
    with transaction.atomic():
        _wait_for_other_replays(endpoint)
        of_endpoint = WebhookMessage.objects.filter(
            endpoint_id=endpoint.pk, created_at__gte=row.created_at - packing.SPAN, created_at__lte=row.created_at
        )
        had = of_endpoint.filter(spool_ids__contains=[row.pk])
        fitting = [m.pk for m in had if event_id in m.only or (not m.only and matches(m.filters, event_type))]
        _lock(endpoint)
        repeated = _repeat(WebhookMessage.objects.filter(pk__in=fitting))
        if not repeated:
            _store_alone(endpoint, row, event_id, event_type)
        _record(endpoint, by, event=event_id)
    return max(repeated, 1)


def replay_message(endpoint: WebhookEndpoint, message_id: uuid.UUID, by: Actor) -> None:
    """Raises NotFound, or Conflict for a disabled endpoint."""
    _must_be_enabled(endpoint)
    with transaction.atomic():
        _lock(endpoint)
        if not _repeat(WebhookMessage.objects.filter(pk=message_id, endpoint_id=endpoint.pk)):
            raise NotFound("There is no such message.", field="message")
        _record(endpoint, by, message=str(message_id))


def send_example(endpoint: WebhookEndpoint, by: Actor) -> WebhookMessage:
    """An event that says nothing, whatever the filters. Raises Conflict for a disabled endpoint."""
    _must_be_enabled(endpoint)
    with transaction.atomic():
        _lock(endpoint)
        message = _message(endpoint, [str(EventType.EXAMPLE)])
        message.save(force_insert=True)
        _resume(endpoint)
        audit.record(endpoint.tenant_id, "webhook_endpoint.test", endpoint.pk, {}, by)
    return message


def _must_be_enabled(endpoint: WebhookEndpoint) -> None:
    if not endpoint.enabled:
        raise Conflict("The endpoint is disabled: enable it first.", code="endpoint_disabled")


def _wait_for_other_replays(endpoint: WebhookEndpoint) -> None:
    """Two replays of one moment would both make messages of what the endpoint missed."""
    with connection.cursor() as cursor:
        cursor.execute(_ONE_AT_A_TIME, [str(endpoint.pk)])


def _lock(endpoint: WebhookEndpoint) -> None:
    """Before its messages, as `settling` does."""
    held = WebhookEndpoint.objects.select_for_update().filter(pk=endpoint.pk).first()
    if held is None:
        raise NotFound("There is no such endpoint.", field="id")
    _must_be_enabled(held)


def _record(endpoint: WebhookEndpoint, by: Actor, **detail: object) -> None:
    _resume(endpoint)
    audit.record(endpoint.tenant_id, "webhook_endpoint.replay", endpoint.pk, detail, by)


def _resume(endpoint: WebhookEndpoint) -> None:
    """What leaves now need not wait until a failing endpoint is asked again."""
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(resume_at=datetime.now(UTC))


def _repeat(messages: QuerySet[WebhookMessage]) -> int:
    now = datetime.now(UTC)
    return messages.update(state=WebhookMessage.State.WAITING, attempts=0, due_at=now, begun_at=now, ended_at=None)


def _had(values: Mapping[str, Any]) -> list[uuid.UUID]:
    """Messages of the endpoint with rows of the span: also of those that began shortly before it."""
    with connection.cursor() as cursor:
        cursor.execute(_HAD, {**values, "limit": MOST_REQUESTS + 1})
        ids = [row[0] for row in cursor.fetchall()]
    if len(ids) > MOST_REQUESTS:
        raise _too_much()
    return ids


def _missed(values: Mapping[str, Any]) -> list[SpoolRow]:
    """Rows of the spool with events that are wanted, and of which no message of the endpoint has all that are wanted:
    it was made under narrower filters, or the endpoint is a later one."""
    of_endpoint = WebhookMessage.objects.filter(
        endpoint_id=values["endpoint"], created_at__gte=values["begun"], created_at__lt=values["until"]
    )
    seen = of_endpoint.order_by().values_list("filters", flat=True).distinct()
    complete = [",".join(one) for one in seen if all(matches(one, name) for name in values["wanted"])]
    with connection.cursor() as cursor:
        cursor.execute(_MISSED, {**values, "complete": complete, "limit": MOST_ROWS + 1})
        rows = [spool_row(*row) for row in cursor.fetchall()]
    if len(rows) > MOST_ROWS:
        raise _too_much()
    return rows


def _values(endpoint: WebhookEndpoint, span: Span, filters: Sequence[str]) -> dict[str, Any]:
    """Of both statements. Nothing is older than KEPT, and a year like 1 leaves no room for the subtractions."""
    since = max(span.since, datetime.now(UTC) - KEPT - packing.SPAN)
    return {
        "tenant": endpoint.tenant_id,
        "endpoint": endpoint.pk,
        "begun": since - packing.SPAN,
        "since": since,
        "until": span.until,
        "wanted": [str(name) for name in EventType if matches(filters, name)],
    }


def _too_much() -> InvalidInput:
    return InvalidInput("So many events happened in this time: replay shorter spans.", field="since")


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
