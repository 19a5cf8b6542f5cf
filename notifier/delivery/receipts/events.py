"""Events of providers as this package handles them: cleaned, with a time, and as JSON while they wait."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from notifier.values.text import cleaned, is_storable
from notifier.vocabulary.receipts import EventKind, ReceiptEvent

#: characters of an event's texts that are kept
_LONGEST = 300
#: a provider's clock may be so far ahead of ours; a later time is taken for a fault
_AHEAD = timedelta(minutes=5)
_TEXTS = ("provider_ref", "address", "detail", "url", "event_id")


def cleaned_events(events: Iterable[ReceiptEvent], received_at: datetime) -> list[ReceiptEvent]:
    """The events with texts that can be stored, and each with a time: the provider's, else the time of the call."""
    return [_cleaned(event, received_at) for event in events]


def _cleaned(event: ReceiptEvent, received_at: datetime) -> ReceiptEvent:
    changes: dict[str, Any] = {}
    at = event.at if event.at is None or event.at.tzinfo is not None else event.at.replace(tzinfo=UTC)
    at = received_at if at is None or at > received_at + _AHEAD else at
    if at is not event.at:
        changes["at"] = at
    for name in _TEXTS:
        text = getattr(event, name)
        if text and (len(text) > _LONGEST or not is_storable(text)):
            changes[name] = cleaned(text)[:_LONGEST]
    return dataclasses.replace(event, **changes) if changes else event


def time_of(event: ReceiptEvent) -> datetime:
    """The time of a cleaned event."""
    assert event.at is not None
    return event.at


def pack(events: Iterable[ReceiptEvent]) -> bytes:
    """Events as JSON, without the fields that have no value."""
    return orjson.dumps([_fields(event) for event in events])


def unpack(packed: bytes) -> list[ReceiptEvent]:
    return [_event(fields) for fields in orjson.loads(packed)]


def _fields(event: ReceiptEvent) -> dict[str, Any]:
    values = {f.name: getattr(event, f.name) for f in dataclasses.fields(event)}
    return {name: value for name, value in values.items() if value not in ("", None, False)}


def _event(fields: dict[str, Any]) -> ReceiptEvent:
    values = {**fields, "kind": EventKind(fields["kind"])}
    if "delivery_id" in fields:
        values["delivery_id"] = uuid.UUID(fields["delivery_id"])
    if "at" in fields:
        values["at"] = datetime.fromisoformat(fields["at"])
    return ReceiptEvent(**values)
