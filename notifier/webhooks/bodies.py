"""The body of a message: always a batch, also of one event, so that a receiver has one loop."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from notifier.models import WebhookMessage, WebhookSpool
from notifier.vocabulary.webhooks import SCHEMA_VERSION, EventType, matches

BATCH = "events.batch"
EXAMPLE_DATA = {"text": "This is an example: nothing happened."}


#: row of the spool -> its events
Spooled = Mapping[uuid.UUID, Sequence[Any]]


def spooled(messages: Iterable[WebhookMessage]) -> Spooled:
    """The rows of the spool that these messages name, as far as they are kept."""
    ids = {spool_id for message in messages for spool_id in message.spool_ids}
    return dict(WebhookSpool.objects.filter(pk__in=ids).values_list("pk", "events"))


def body_of(message: WebhookMessage, rows: Spooled) -> bytes | None:
    """None when the message's events are deleted by now."""
    events = events_of(message, rows)
    return body(message, events) if events else None


def events_of(message: WebhookMessage, rows: Spooled) -> list[Any]:
    """The events of a message, in their order."""
    if not message.spool_ids:
        return [_example(message)]
    events = [event for spool_id in message.spool_ids for event in rows.get(spool_id, ())]
    if message.only:
        return [event for event in events if event["id"] in message.only]
    return [event for event in events if matches(message.filters, event["type"])]


def body(message: WebhookMessage, events: Sequence[Any]) -> bytes:
    """JSON. The same for every attempt: receivers may compare bodies of one `webhook-id`."""
    data = {"version": SCHEMA_VERSION, "events": events}
    return orjson.dumps({"type": BATCH, "timestamp": message.created_at, "data": data})


def _example(message: WebhookMessage) -> dict[str, Any]:
    return {
        "id": f"evt_{message.pk.hex}_0",
        "type": str(EventType.EXAMPLE),
        "timestamp": message.created_at,
        "sequence": int(message.created_at.timestamp() * 1_000_000),
        "data": EXAMPLE_DATA,
    }
