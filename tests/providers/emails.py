"""Emails as tests of email services need them."""

from __future__ import annotations

from typing import Any

from notifier.channels.base import Envelope
from notifier.channels.email import EmailMessage
from notifier.vocabulary.ids import new_id
from notifier.vocabulary.people import Address


def an_email(address: str = "anna@example.org", **changes: Any) -> EmailMessage:
    """An email of a transactional category; with `unsubscribe_url`, of a marketing category."""
    delivery = new_id()
    envelope: dict[str, Any] = {
        "delivery_id": delivery,
        "tenant_id": new_id(),
        "recipient_id": new_id(),
        "address": Address(address),
        "collapse_key": delivery.hex,
        "category": "news",
    }
    envelope |= {name: changes.pop(name) for name in list(changes) if name in Envelope.__dataclass_fields__}
    content = {"subject": "Grüße & O'Neil", "text": "Hello Anna", "html": "<p>Hello <b>Anna</b></p>"}
    return EmailMessage(Envelope(**envelope), **content | changes)
