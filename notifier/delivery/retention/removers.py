"""What the engine deletes with time."""

from __future__ import annotations

from notifier.delivery.retention import partitions
from notifier.delivery.retention.files import Files
from notifier.delivery.retention.requests import Requests
from notifier.vocabulary.retention import Keep
from tenants.retention import registry
from tenants.retention.expiry import Expiry

#: a dead letter is deleted with its message; one that was sent again, and whose month was dropped, by its own age
DEAD_LETTERS = Expiry(
    "notifier_deadletter",
    "t.redriven_at",
    Keep.MESSAGES,
    unless="EXISTS (SELECT FROM notifier_delivery d WHERE d.id = t.delivery_id)",
)
DIGESTS = Expiry("notifier_digest", "t.closed_at", Keep.MESSAGES)
MESSAGE_COUNTS = Expiry("notifier_messagecount", "t.day::timestamptz", Keep.COUNTS, ids_are_times=False)
REQUEST_COUNTS = Expiry("notifier_requestcount", "t.at", Keep.COUNTS, ids_are_times=False)


def register() -> None:
    """Requests first: what they leave decides which files are in use."""
    registry.register_preparation(partitions.retire)
    for remover in (Requests(), DEAD_LETTERS, DIGESTS, MESSAGE_COUNTS, REQUEST_COUNTS, Files()):
        registry.register(remover)
