"""What a provider reports about a message later, and the request that brings the report."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class EventKind(StrEnum):
    """What happened. The last three concern an address and no message."""

    SENT = "sent"  #: the provider handed the message on
    DEFERRED = "deferred"  #: the receiving side asked the provider to try again later
    DELIVERED = "delivered"
    OPENED = "opened"
    CLICKED = "clicked"
    BOUNCED = "bounced"  #: an email came back; `permanent`: the address takes no message
    FAILED = "failed"  #: the provider gave up, for a reason other than a bounce
    COMPLAINED = "complained"  #: the recipient reported the message as spam
    UNSUBSCRIBED = "unsubscribed"  #: by the provider's own link
    STOP = "stop"  #: the recipient answered STOP, or a word of that meaning
    START = "start"
    HELP = "help"


@dataclass(frozen=True, slots=True)
class ReceiptRequest:
    """A provider's call of the receipts address. `url`: public, with the query. Header names are lower case. All but
    the method holds secrets or addresses, so that `repr` shows the method only."""

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ReceiptEvent:
    """One event. A message is named by `delivery_id`, which our request carried, else by `provider_ref`. STOP, START
    and HELP name an `address` only."""

    kind: EventKind
    delivery_id: uuid.UUID | None = None
    provider_ref: str = ""
    address: str = field(default="", repr=False)
    at: datetime | None = None  #: by the provider's clock
    #: of BOUNCED and FAILED: no other message to this address will arrive either
    permanent: bool = False
    #: of OPENED and CLICKED: a scanner or a prefetcher did it, not a person
    machine: bool = False
    detail: str = field(default="", repr=False)
    url: str = field(default="", repr=False)  #: of CLICKED
    event_id: str = ""  #: the provider's own id of the event; empty: it gives none
