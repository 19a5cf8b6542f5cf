"""A recipient as the engine sees one, an address, and the request to reach a recipient."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from notifier.vocabulary.digests import DigestRequest
from notifier.vocabulary.mail import NewFile
from notifier.vocabulary.routes import Route
from notifier.vocabulary.status import Mode

#: in place of a recipient's id: the provider passes the message on to devices that only the provider knows
NO_RECIPIENT = uuid.UUID(int=0)


class DeviceAddress(NamedTuple):
    id: uuid.UUID
    platform: str
    token: str
    app: str


@dataclass(frozen=True)
class Preferences:
    """What a recipient asked for. `categories_off` and `categories_on` hold `category` or `category:channel`."""

    channels_off: frozenset[str] = frozenset()
    categories_off: frozenset[str] = frozenset()
    categories_on: frozenset[str] = frozenset()  #: opt-ins; those to a category with double opt-in are confirmed
    #: category -> channel; "" stands for all categories
    preferred_channels: Mapping[str, str] = field(default_factory=dict)
    everything_off: bool = False
    snoozed_until: datetime | None = None
    quiet_from: int | None = None  #: minute of the local day, inclusive
    quiet_until: int | None = None  #: minute of the local day, exclusive
    language: str = ""


class Person(NamedTuple):
    """One recipient with everything a plan needs; loaded in one query. A tuple: a frozen dataclass of so many fields
    takes 2.8 µs to make."""

    id: uuid.UUID
    external_id: str
    name: str
    email: str
    phone: str
    locale: str
    timezone: str  #: of the phone that was seen last, else of the recipient; "": the tenant's counts
    status: str
    attributes: Mapping[str, Any]
    devices: tuple[DeviceAddress, ...] = ()
    preferences: Preferences = Preferences()
    suppressed: frozenset[tuple[str, str]] = frozenset()  #: (channel, address)

    def variables(self) -> dict[str, Any]:
        """What a template sees as `recipient`: plain values only."""
        return {
            "external_id": self.external_id,
            "name": self.name,
            "email": self.email,
            "phone": self.phone,
            "locale": self.locale,
            "timezone": self.timezone,
            "attributes": dict(self.attributes),
        }


class Address(NamedTuple):
    """Where a message on a channel goes. `platform` names the providers that serve a device, and `app`, the app that
    made its token, one of their accounts. An address that was read from the ledger has no `app`. A tuple: arming makes
    one a device, and a frozen dataclass takes 0.3 µs more."""

    value: str
    platform: str = ""
    device_id: uuid.UUID | None = None
    app: str = ""


@dataclass(frozen=True)
class SendRequest:
    """One notification, as any surface asks for it. It leaves at `send_at`, or now; times are aware UTC."""

    recipient: str  #: external_id
    template: str
    category: str = ""
    channels: tuple[str, ...] | None = None  #: None: all channels of the template; an empty tuple is refused
    data: Mapping[str, Any] = field(default_factory=dict)
    mode: Mode = Mode.LIVE
    send_at: datetime | None = None
    not_after: datetime | None = None
    #: instead of `send_at`: what a clock of the recipient's zone shows, without a zone
    send_at_local: datetime | None = None
    group_key: str = ""  #: by which notifications are cancelled together
    #: None: the template's route, unless `channels` are given; an empty tuple: no route
    route: Route | None = None
    #: what the message carries besides the files of its template, and those of them that are to be stored
    attachments: tuple[Mapping[str, Any], ...] = ()
    files: tuple[NewFile, ...] = ()
    #: without the template's own category, too: a test send must not wait for the quiet hours of its recipient
    without_category: bool = False
    #: gather the messages into a digest, as this says
    digest: DigestRequest | None = None
    #: the id of the digest that leaves as this request: its messages are in no digest again
    of_digest: uuid.UUID | None = None
    #: the request's place in a trace (notifier.tracing); empty: nothing of it is recorded
    traceparent: str = field(default="", repr=False, compare=False)
