"""Asks providers' servers about messages that ended in doubt (Provider.can_be_asked), one request for each message.

A message in doubt has no reference of the server: the server is asked for its messages to the same address, and one of
them is the message if it was made at that time, says the same, and is not known to be another delivery. Of a message
whose content is not kept (that of a campaign) nobody is asked: any message to the address could be it. `fetching` calls
this and stores what comes of it; `reading` then moves the message on from `unknown`.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import structlog

from notifier.delivery.accounts import registry
from notifier.delivery.ledger.reports import reported
from notifier.delivery.ledger.reports.awaited_receipts import ClaimedRow
from notifier.models import ProviderAccount
from notifier.providers import Provider
from notifier.vocabulary.http import Response
from notifier.vocabulary.inquiries import Doubt
from notifier.vocabulary.receipts import ReceiptEvent

log = structlog.get_logger("notifier.receipts")

#: messages that one run asks about for one account
MOST = 20
#: the request of a message was written so long before the message ended as `unknown`, at most: a worker that was killed
#: leaves it until its lease is over
LONGEST_BEFORE = timedelta(minutes=10)
#: by which the provider's clock may be ahead
SKEW = timedelta(seconds=30)
#: nobody is asked any more about a message that is in doubt for so long
GIVE_UP = timedelta(minutes=15)


def ask(account: ProviderAccount, provider: Provider[Any], rows: Sequence[ClaimedRow]) -> dict[uuid.UUID, ReceiptEvent]:
    """What the server says about the messages of these rows: an event for each that it knows."""
    ids = [delivery_id for row in rows for delivery_id in row.delivery_ids]
    rows_in_doubt = reported.in_doubt(account.tenant_id, account.channel, ids)
    doubts = [_doubt(row_id, address, at, content) for row_id, address, at, content in rows_in_doubt if content]
    if not doubts:
        return {}
    client = registry.http_client_for(account)
    events: dict[uuid.UUID, ReceiptEvent] = {}
    for answers in client.exchange([provider.inquiry(doubt) for doubt in doubts]):
        for at, answer in answers:
            if isinstance(answer, Response) and (event := _event(account, provider, doubts[at], answer)):
                events[doubts[at].delivery_id] = event
    return events


def _doubt(delivery_id: uuid.UUID, address: str, ended_at: datetime, content: Mapping[str, Any]) -> Doubt:
    return Doubt(delivery_id, address, ended_at - LONGEST_BEFORE, ended_at + SKEW, content)


def _event(account: ProviderAccount, provider: Provider[Any], doubt: Doubt, answer: Response) -> ReceiptEvent | None:
    """The event of the message; None when the server does not know it, or knows several that it may be."""
    try:
        found = {event.provider_ref: event for event in provider.found(doubt, answer)}
    except Exception as error:
        # whatever an answer makes of a parser must not stop the messages behind it
        log.warning("answer about a message in doubt not read", action="fetch", account=str(account.pk),
                    error=type(error).__name__)  # fmt: skip
        return None
    # by tenant: another of its accounts may have the same credentials
    known = reported.known_refs(account.tenant_id, found.keys())
    candidates = without(found, known)
    return replace(candidates[0], delivery_id=doubt.delivery_id) if len(candidates) == 1 else None


def without(found: Mapping[str, ReceiptEvent], known: Collection[str]) -> list[ReceiptEvent]:
    """The events of messages that no other delivery has."""
    return [event for ref, event in found.items() if ref not in known]
