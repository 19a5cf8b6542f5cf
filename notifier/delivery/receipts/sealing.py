"""What a row of notifier_receipt holds, encrypted: a provider's call, or events that wait for their deliveries."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

import orjson

from notifier import encryption
from notifier.delivery.receipts import events as event_json
from notifier.vocabulary.receipts import ReceiptEvent, ReceiptRequest

_PURPOSE = "receipt"


def seal_call(tenant_id: uuid.UUID, request: ReceiptRequest) -> bytes:
    """A line of JSON (method, URL, headers), then the body as it came."""
    head = orjson.dumps([request.method, request.url, dict(request.headers)])
    return encryption.seal(tenant_id, _PURPOSE, head + b"\n" + request.body)


def unseal_call(tenant_id: uuid.UUID, sealed: bytes) -> ReceiptRequest:
    """Raises ValueError when no configured key opens it."""
    head, _, body = encryption.unseal(tenant_id, _PURPOSE, sealed).partition(b"\n")
    method, url, headers = orjson.loads(head)
    return ReceiptRequest(method, url, headers, body)


def seal_events(tenant_id: uuid.UUID, events: Iterable[ReceiptEvent]) -> bytes:
    return encryption.seal(tenant_id, _PURPOSE, event_json.pack(events))


def unseal_events(tenant_id: uuid.UUID, sealed: bytes) -> list[ReceiptEvent]:
    """Raises ValueError when no configured key opens it."""
    return event_json.unpack(encryption.unseal(tenant_id, _PURPOSE, sealed))
