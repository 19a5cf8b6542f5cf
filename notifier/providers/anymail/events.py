"""From Anymail's tracking event to ours."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from notifier.vocabulary.ids import parse_id
from notifier.vocabulary.receipts import EventKind, ReceiptEvent

DELIVERY = "delivery_id"  #: the name of our id in a message's metadata
TAG = "delivery-"  #: before our id in a tag, for a service without metadata
LONGEST_DETAIL, LONGEST_URL, LONGEST_REFERENCE = 300, 2000, 200
#: answers a question about a report in the service's own words
Test = Callable[[Mapping[str, Any]], bool]

#: Anymail's event type -> ours. Left out: queued, autoresponded, subscribed, inbound, unknown
KINDS = {
    "sent": EventKind.SENT,
    "rejected": EventKind.FAILED,
    "failed": EventKind.FAILED,
    "bounced": EventKind.BOUNCED,
    "deferred": EventKind.DEFERRED,
    "delivered": EventKind.DELIVERED,
    "opened": EventKind.OPENED,
    "clicked": EventKind.CLICKED,
    "complained": EventKind.COMPLAINED,
    "unsubscribed": EventKind.UNSUBSCRIBED,
}
#: reasons for which a service refuses an address before it tries it: the service remembers a hard bounce
_DEAD_REASONS = frozenset({"bounced", "invalid"})
#: enhanced codes of a mailbox that does not exist (RFC 3463 §3.2)
_NO_MAILBOX = re.compile(r"\b5\.1\.(1|2|3|6|10)\b")


def receipt_events(events: Iterable[Any], is_hard_bounce: Test, is_machine: Test) -> list[ReceiptEvent]:
    """Our events. Anymail's reasons do not tell a full mailbox from one that does not exist, so the file of the
    service reads the report itself."""
    receipts = []
    for event in events:
        kind = KINDS.get(event.event_type)
        if kind is None:
            continue
        report = event.esp_event if isinstance(event.esp_event, Mapping) else {}
        permanent = kind in (EventKind.BOUNCED, EventKind.FAILED) and _is_permanent(event, kind, report, is_hard_bounce)
        receipts.append(
            ReceiptEvent(
                kind,
                delivery_id=_delivery_id(event),
                provider_ref=_text(event.message_id)[:LONGEST_REFERENCE],
                address=_text(event.recipient),
                at=event.timestamp if isinstance(event.timestamp, datetime) else None,
                permanent=permanent,
                machine=kind in (EventKind.OPENED, EventKind.CLICKED) and is_machine(report),
                detail=(_text(event.mta_response) or _text(event.description))[:LONGEST_DETAIL],
                url=_text(event.click_url)[:LONGEST_URL] if kind is EventKind.CLICKED else "",
                event_id=_text(event.event_id)[:LONGEST_REFERENCE],
            )
        )
    return receipts


def _is_permanent(event: Any, kind: EventKind, report: Mapping[str, Any], is_hard_bounce: Test) -> bool:
    if is_hard_bounce(report) or _NO_MAILBOX.search(_text(event.mta_response)):
        return True
    return kind is EventKind.FAILED and event.event_type == "rejected" and event.reject_reason in _DEAD_REASONS


def _delivery_id(event: Any) -> uuid.UUID | None:
    """Our id, from the metadata or a tag; a text that is no UUID is none."""
    metadata, tags = event.metadata, event.tags
    texts = [metadata.get(DELIVERY)] if isinstance(metadata, Mapping) else []
    texts += [tag.removeprefix(TAG) for tag in tags if _text(tag).startswith(TAG)] if isinstance(tags, list) else []
    return next(filter(None, map(parse_id, texts)), None)


def _text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return str(value)
