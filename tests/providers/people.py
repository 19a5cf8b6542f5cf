"""Messages and providers as tests need them."""

from __future__ import annotations

from typing import Any

from notifier.channels.base import Envelope
from notifier.channels.push import PushMessage
from notifier.providers import Provider
from notifier.providers.fcm import Fcm
from notifier.vocabulary.http import TokenRequest
from notifier.vocabulary.ids import new_id
from notifier.vocabulary.people import Address


def a_push(address: str = "cX1:APA91b-anna", **changes: Any) -> PushMessage:
    delivery = new_id()
    envelope: dict[str, Any] = {
        "delivery_id": delivery,
        "tenant_id": new_id(),
        "recipient_id": new_id(),
        "address": Address(address, "fcm"),
        "collapse_key": delivery.hex,
    }
    envelope |= {name: changes.pop(name) for name in list(changes) if name in Envelope.__dataclass_fields__}
    return PushMessage(Envelope(**envelope), **{"title": "Hello", "body": "It is there.", **changes})


def sandboxed(url: str) -> Fcm:
    return Fcm(Fcm.Config.sandbox(url), url, timeout=60.0)


def token_of(provider: Provider[Any]) -> TokenRequest:
    """The token that a provider needs."""
    token_request = provider.required_token()
    assert token_request is not None
    return token_request
