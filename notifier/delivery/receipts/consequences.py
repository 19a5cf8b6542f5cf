"""What receipts mean for addresses: suppressions, opt-outs, and their end. A trigger writes the ConsentChange of each.

| event | what follows |
|---|---|
| bounced, permanent | suppression, cause `bounce`; a device is marked dead |
| bounced, not permanent, SOFT_BOUNCES times in SOFT_BOUNCE_DAYS | the same |
| failed, permanent | suppression, cause `dead`; a device is marked dead |
| complained | suppression, cause `complaint` |
| unsubscribed | opt-out of the category, if that is marketing; else suppression, cause `unsubscribe` |
| stop | suppression, cause `unsubscribe` |
| start | lifts a suppression with the cause `unsubscribe` or `dead` |
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from notifier.channels import channel as kind_of
from notifier.delivery.ledger.people.dead_addresses import DeadAddress, mark_addresses_dead
from notifier.delivery.ledger.reports import reported
from notifier.delivery.ledger.reports.reported import ReportedRow
from notifier.delivery.receipts.events import time_of
from notifier.vocabulary.people import Address
from notifier.vocabulary.receipts import EventKind, ReceiptEvent
from notifier.vocabulary.status import ConsentSource, Kind
from tenants.access import set_consent_source
from tenants.models import Category, Suppression
from tenants.people.opt_out import opt_out

SOFT_BOUNCES, SOFT_BOUNCE_DAYS = 5, 10

_Cause = Suppression.Cause
Reports = Sequence[tuple[ReportedRow, Sequence[ReceiptEvent]]]


def apply(tenant_id: uuid.UUID, channel: str, about_messages: Reports, about_addresses: Sequence[ReceiptEvent]) -> None:
    """Write what follows from the events. Needs an open transaction."""
    set_consent_source(ConsentSource.RECEIPT)
    unsubscribed = [row for row, events in about_messages if any(e.kind is EventKind.UNSUBSCRIBED for e in events)]
    opted_out = _opt_out(tenant_id, channel, unsubscribed)
    mark_addresses_dead(
        [
            *_after_messages(tenant_id, channel, about_messages, opted_out),
            *_after_soft_bounces(tenant_id, channel, about_messages),
        ]
    )
    spelling = kind_of(channel).stored_spelling
    latest = {spelling(event.address): event for event in sorted(about_addresses, key=time_of) if _matters(event)}
    for address, event in sorted(latest.items()):
        _apply_to_address(tenant_id, channel, address, event)


def cause_of(event: ReceiptEvent) -> str | None:
    """The cause of the suppression that follows from the event; None when none follows."""
    if event.kind is EventKind.BOUNCED:
        return str(_Cause.BOUNCE) if event.permanent else None
    if event.kind is EventKind.FAILED:
        return str(_Cause.DEAD) if event.permanent else None
    causes = {
        EventKind.COMPLAINED: _Cause.COMPLAINT,
        EventKind.UNSUBSCRIBED: _Cause.UNSUBSCRIBE,
        EventKind.STOP: _Cause.UNSUBSCRIBE,
    }
    cause = causes.get(event.kind)
    return None if cause is None else str(cause)


def _after_messages(
    tenant_id: uuid.UUID, channel: str, reports: Reports, opted_out: set[uuid.UUID]
) -> Iterator[DeadAddress]:
    """An address whose suppression was lifted after the message was sent stays allowed: the event is older news."""
    for row, events in reports:
        for event in events:
            if (cause := cause_of(event)) and not (event.kind is EventKind.UNSUBSCRIBED and row.id in opted_out):
                yield DeadAddress(tenant_id, channel, row.full_address, row.sent_at, cause, detail=event.detail)


def _after_soft_bounces(tenant_id: uuid.UUID, channel: str, reports: Reports) -> list[DeadAddress]:
    soft = [row for row, events in reports if any(e.kind is EventKind.BOUNCED and not e.permanent for e in events)]
    since = datetime.now(UTC) - timedelta(days=SOFT_BOUNCE_DAYS)
    recipients = {row.recipient_id for row in soft}
    often = reported.often_bounced(tenant_id, channel, recipients, since, SOFT_BOUNCES)
    return [
        DeadAddress(tenant_id, channel, row.full_address, row.sent_at, str(_Cause.BOUNCE))
        for row in soft
        if (row.recipient_id, row.address) in often
    ]


def _opt_out(tenant_id: uuid.UUID, channel: str, rows: Sequence[ReportedRow]) -> set[uuid.UUID]:
    """Opt the recipients of marketing messages out of the category: the provider's unsubscribe link of a newsletter
    must not end the password reset. Returns the deliveries whose recipients are opted out."""
    if not rows:
        return set()
    keys = {row.category for row in rows if row.category}
    categories = Category.objects.filter(tenant_id=tenant_id, key__in=keys, kind=Kind.MARKETING)
    marketing = set(categories.values_list("key", flat=True))
    of_marketing = [row for row in rows if row.category in marketing]
    for recipient_id, category in sorted({(row.recipient_id, row.category) for row in of_marketing}):
        opt_out(tenant_id, recipient_id, channel, category)
    return {row.id for row in of_marketing}


def _matters(event: ReceiptEvent) -> bool:
    return bool(event.address) and (event.kind is EventKind.START or cause_of(event) is not None)


def _apply_to_address(tenant_id: uuid.UUID, channel: str, address: str, event: ReceiptEvent) -> None:
    """A START that is older than a STOP lifts nothing, and a STOP that is older than a START suppresses nothing, in
    whatever order they come."""
    at = time_of(event)
    if event.kind is EventKind.START:
        # a bounce or a complaint is not the recipient's to lift; an address that answers is not dead
        Suppression.objects.filter(
            tenant_id=tenant_id,
            channel=channel,
            address=address,
            cause__in=(_Cause.UNSUBSCRIBE, _Cause.DEAD),
            created_at__lte=at,
        ).delete()
    elif cause := cause_of(event):
        mark_addresses_dead([DeadAddress(tenant_id, channel, Address(address), at, cause, asked_at=at)])
