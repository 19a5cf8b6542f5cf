"""The events that webhooks tell, and the filters of endpoints. A type is words with full stops between them; it never
changes its meaning. A new type, or a new field of its data, is no new version of the schema."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import timedelta
from enum import StrEnum

from notifier.vocabulary.status import Status

#: of the payload's schema; stands in each request
SCHEMA_VERSION = 1
#: endpoints of one tenant
MAX_ENDPOINTS = 10
#: events of one request
MAX_BATCH = 100
#: how long events and attempts are kept, and can be replayed
KEPT = timedelta(days=30)


class EventType(StrEnum):
    """What an event tells."""

    SENT = "delivery.sent"
    DELIVERED = "delivery.delivered"
    BOUNCED = "delivery.bounced"
    OPENED = "delivery.opened"
    CLICKED = "delivery.clicked"
    COMPLAINED = "delivery.complained"
    FAILED = "delivery.failed"
    SUPPRESSED = "delivery.suppressed"
    CANCELLED = "delivery.cancelled"
    EXPIRED = "delivery.expired"
    UNKNOWN = "delivery.unknown"
    UNSUBSCRIBED = "recipient.unsubscribed"
    CONSENT_CHANGED = "consent.changed"
    CAMPAIGN_ARMED = "campaign.armed"
    CAMPAIGN_LAUNCHED = "campaign.launched"
    CAMPAIGN_PAUSED = "campaign.paused"
    CAMPAIGN_RESUMED = "campaign.resumed"
    CAMPAIGN_HALTED = "campaign.halted"
    CAMPAIGN_STOPPED = "campaign.stopped"
    CAMPAIGN_FINISHED = "campaign.finished"
    IMPORT_FINISHED = "import.finished"
    QUOTA_WARNING = "quota.warning"
    #: what the button "Send example" sends, whatever the endpoint's filters
    EXAMPLE = "webhook.example"


#: the event of a delivery that has this status
EVENT_OF_STATUS = {
    status: EventType(f"delivery.{status.label}") for status in Status if f"delivery.{status.label}" in set(EventType)
}


def matches(event_types: Iterable[str], event_type: str) -> bool:
    """Whether an endpoint with these filters wants the event. No filter: every event."""
    filters = list(event_types)
    return not filters or any(_fits(wanted, event_type) for wanted in filters)


def _fits(wanted: str, event_type: str) -> bool:
    return event_type.startswith(wanted[:-1]) if wanted.endswith("*") else event_type == wanted


def is_filter(text: str) -> bool:
    """Whether the text is the name of a type, or `<group>.*` of a group that exists, or `*`."""
    if text == "*" or text in set(EventType):
        return True
    return text.endswith(".*") and text[:-2] in groups()


def groups(types: Collection[str] = tuple(EventType)) -> list[str]:
    """The first words of all types."""
    return sorted({name.partition(".")[0] for name in types})
