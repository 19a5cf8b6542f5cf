"""The part message/feedback-report of a complaint (ARF, RFC 5965)."""

from __future__ import annotations

from email.message import Message

from notifier.mail_reports.delivery_status import Result, field
from notifier.vocabulary.receipts import EventKind

#: RFC 5965 §7.3 and RFC 6430. `not-spam` takes a complaint back, and `auth-failure` (RFC 6591) is about DKIM and SPF:
#: both change nothing
_KINDS = {
    "abuse": EventKind.COMPLAINED,
    "fraud": EventKind.COMPLAINED,
    "virus": EventKind.COMPLAINED,
    "other": EventKind.COMPLAINED,
    "opt-out": EventKind.UNSUBSCRIBED,
    "opt-out-list": EventKind.UNSUBSCRIBED,
}


def read_feedback(part: Message) -> Result | None:
    """What the part says; None for one that asks for nothing."""
    payload = part.get_payload()
    # the parser takes the part for a message, as it does with every type message/*
    block = payload[0] if isinstance(payload, list) and payload and isinstance(payload[0], Message) else part
    kind = field(block, "Feedback-Type").lower()
    event = _KINDS.get(kind)
    if event is None:
        return None
    return Result(event, permanent=False, detail=f"feedback report: {kind}")
