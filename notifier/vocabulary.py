"""The product's words as closed enums and frozen dataclasses. Knows no Django, does no I/O."""

from __future__ import annotations

import hashlib
import random
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Any, Protocol


class Status(IntEnum):
    """Where one delivery stands. A larger number never goes back to a smaller one, except that an
    unfinished row may return to QUEUED for a retry."""

    ARMED = 5  #: in a shard of a campaign, waiting for GO
    QUEUED = 10  #: accepted; leaves when it is due and its line's turn comes
    CLAIMED = 20  #: a worker holds it under a lease; nothing has been written to the wire
    SENDING = 30  #: about to be, or being, written to the wire; a crash leaves the outcome in doubt
    SENT = 40  #: the provider took it
    DELIVERED = 50  #: the provider, or the inbox, says that it arrived
    FAILED = 60  #: will not be sent; `reason` says why
    SUPPRESSED = 61  #: not sent because somebody or some rule said no; `reason` says which
    CANCELLED = 62  #: stopped before it left
    EXPIRED = 63  #: it could not leave before its `not_after`
    UNKNOWN = 64  #: no answer came and a resend is not allowed

    @property
    def label(self) -> str:
        return self.name.lower()


FINAL = frozenset(s for s in Status if s >= Status.SENT)


class Lane(IntEnum):
    """Lanes never wait for each other."""

    CRITICAL = 0
    TRANSACTIONAL = 1
    BULK = 2


class Place(IntEnum):
    """A queued row's place in its line (recipient, channel, lane)."""

    WAITS = 0  #: another row of the line holds the turn
    HOLDS = 1  #: may be claimed when due
    PARKED = 2  #: not due for a while; outside the line until then


class Kind(StrEnum):
    """The kind of a category; decides the lane and what may hold a message back."""

    TRANSACTIONAL = "transactional"
    MARKETING = "marketing"
    CRITICAL = "critical"


LANE_OF = {Kind.CRITICAL: Lane.CRITICAL, Kind.TRANSACTIONAL: Lane.TRANSACTIONAL, Kind.MARKETING: Lane.BULK}


class Mode(StrEnum):
    """`test` runs the whole path and never leaves the sandbox."""

    LIVE = "live"
    TEST = "test"


#: the mode of a rehearsal's messages: live, but providers only check them. No key and no notification has it
SILENT = "silent"


class Reason(StrEnum):
    """Why a planned message was not, or will not be, sent."""

    NO_ADDRESS = "no_address"
    CHANNEL_OFF = "channel_off"
    CATEGORY_OFF = "category_off"
    ADDRESS_SUPPRESSED = "address_suppressed"
    RECIPIENT_BLOCKED = "recipient_blocked"
    RECIPIENT_ERASED = "recipient_erased"
    DUPLICATE_ADDRESS = "duplicate_address"
    MISSING_VARIABLE = "missing_variable"
    TEMPLATE_ERROR = "template_error"
    UNKNOWN_RECIPIENT = "unknown_recipient"
    NO_ACCOUNT = "no_account"
    STOPPED = "stopped"
    NOT_AFTER = "not_after"
    QUIET_HOURS = "quiet_hours"
    DEAD_ADDRESS = "dead_address"
    REJECTED = "rejected"
    MISCONFIGURED = "misconfigured"
    EXHAUSTED = "exhausted"
    IN_DOUBT = "in_doubt"


# ---- identifiers -----------------------------------------------------------------------------------------------


def new_id() -> uuid.UUID:
    """A UUID (version 7, RFC 9562, method 3): Unix time in milliseconds, 12 bits of the millisecond's fraction (a
    quarter of a microsecond each, so that ids of one process are in the order of their making), the rest random: unlike
    any other, not secret. The system's generator gives up the interpreter for each: 3.5 µs, and others' turns."""
    ms, rest = divmod(time.time_ns(), 1_000_000)
    fraction = (rest << 12) // 1_000_000
    # Python seeds it anew in every forked child
    return uuid.UUID(int=ms << 80 | 0x7 << 76 | fraction << 64 | 0x2 << 62 | random.getrandbits(62))


def derived_id(at_ms: int, *parts: str) -> uuid.UUID:
    """The same id for the same time and parts: a primary key that is also the once-per-address rule."""
    return _time_uuid(at_ms, hashlib.blake2b("\0".join(parts).encode(), digest_size=10).digest())


def id_floor(at_ms: int) -> uuid.UUID:
    """The smallest id of that millisecond; bounds of partitions and of index ranges."""
    return uuid.UUID(int=at_ms << 80)


def id_ms(value: uuid.UUID) -> int:
    """The Unix time in milliseconds that an id carries."""
    return value.int >> 80


def _time_uuid(ms: int, tail: bytes) -> uuid.UUID:
    value = (ms << 80) | int.from_bytes(tail, "big")
    value = (value & ~(0xF << 76)) | (0x7 << 76)
    value = (value & ~(0x3 << 62)) | (0x2 << 62)
    return uuid.UUID(int=value)


# ---- people, as the engine sees them -----------------------------------------------------------------------------


@dataclass(frozen=True)
class DeviceAddress:
    id: uuid.UUID
    platform: str
    token: str
    app: str


@dataclass(frozen=True)
class Choices:
    """What a recipient asked for. `categories_off` holds `category` or `category:channel`."""

    channels_off: frozenset[str] = frozenset()
    categories_off: frozenset[str] = frozenset()
    quiet_from: int | None = None  #: minute of the local day, inclusive
    quiet_until: int | None = None  #: minute of the local day, exclusive
    language: str = ""


@dataclass(frozen=True)
class Person:
    """One recipient with everything a plan needs; loaded in one query."""

    id: uuid.UUID
    external_id: str
    name: str
    email: str
    phone: str
    locale: str
    timezone: str
    attributes: Mapping[str, Any]
    status: str
    devices: tuple[DeviceAddress, ...] = ()
    choices: Choices = Choices()
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


@dataclass(frozen=True)
class Address:
    """Where a message on a channel goes. `platform` picks the provider (push: fcm, apns, webpush)."""

    value: str
    platform: str = ""
    device_id: uuid.UUID | None = None


# ---- the wire ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request. Header names are lower case. `timeout` in seconds covers the whole exchange."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    timeout: float = 10.0


@dataclass(frozen=True, slots=True)
class Response:
    """What came back. Header names are lower case; `body` is capped by the transport at 64 KiB."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Broken:
    """No response. `begun` False: certainly nothing of the request was processed; True: in doubt. `cut`: the connection
    ended under several requests, which says nothing of each of them."""

    begun: bool
    detail: str
    cut: bool = False


#: the place of a request among those sent together, and what came of it; a volley tells a plain 200 as the int 200
Answered = tuple[int, int | Response | Broken]


@dataclass(frozen=True)
class TokenRequest:
    """An access token that a provider needs before it can send. `cache_key`: whose it is (Provider.token_key)."""

    cache_key: str
    request: Request


@dataclass(frozen=True)
class Head:
    """What the requests of one volley share. Header names are lower case. `timeout` as in Request."""

    method: str
    origin: str  #: https://host or https://host:port
    path: str  #: for a volley that names no paths
    headers: tuple[tuple[str, str], ...]
    timeout: float = 10.0


class Volley(Protocol):
    """Requests on their way that share a Head. One thread uses it and the others of its mailbox."""

    @property
    def left(self) -> int:
        """How many have not been answered, as far as `take` has told."""
        ...

    def take(self, patience: float) -> list[Answered]:
        """What has been answered since the last call. Waits `patience` seconds at most: until all is answered, or for
        50 ms after the first answer. Empty when nothing came in time, and when all is told."""
        ...

    def withdraw(self) -> None:
        """What has not begun will not begin, and is answered Broken(False, "withdrawn")."""
        ...


class Mailbox(Protocol):
    """Where one thread waits for several volleys at once."""

    @property
    def left(self) -> int:
        """How many requests of all its volleys have not been answered, as far as `take` has told."""
        ...

    def volley(self, head: Head, bodies: Sequence[bytes], paths: Sequence[bytes] | None = None) -> Volley:
        """As Wire.volley; its answers come to this mailbox."""
        ...

    def take(self, patience: float) -> list[tuple[Volley, list[Answered]]]:
        """As Volley.take, for all its volleys; wakes when one of them is complete. A volley comes once in a list."""
        ...


class Wire(Protocol):
    """What messages are sent with; `notifier.transport` implements it."""

    def exchange(self, requests: Sequence[Request]) -> Iterator[Sequence[tuple[int, Response | Broken]]]:
        """Send all; yield answers as (index, answer) in the order they come, batched every <= 100 ms."""
        ...

    def volley(self, head: Head, bodies: Sequence[bytes], paths: Sequence[bytes] | None = None) -> Volley:
        """Begin to send `bodies` in order, to head.path or to a path each, and return at once. Of a plain 200 only the
        status is kept."""
        ...

    def mailbox(self) -> Mailbox:
        """A new one, for volleys that one thread keeps on their way together."""
        ...

    @property
    def streams(self) -> int:
        """How many requests this process has under way to one far end at most."""
        ...

    def warm(self, origin: str) -> int:
        """Open this process's connections to a far end before they are needed, and keep them for 10 minutes. How many
        are open then; 0 when it cannot be reached. Blocks for 10 seconds at most."""
        ...

    def token(self, wanted: TokenRequest) -> str:
        """The cached access token, fetched when missing or near its end. Raises TokenRefused."""
        ...

    def forget_token(self, cache_key: str) -> None:
        """Drop a token that the provider refused, so that the next call fetches a new one."""
        ...


class TokenRefused(Exception):
    """No access token could be had. `temporary` False: the credentials are wrong."""

    def __init__(self, detail: str, *, temporary: bool) -> None:
        super().__init__(detail)
        self.detail = detail
        self.temporary = temporary


# ---- what a provider said ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sent:
    """The provider took it. `final` True where taking it is arriving (the inbox)."""

    provider_ref: str = ""
    final: bool = False


@dataclass(frozen=True, slots=True)
class Temporary:
    """Try again later."""

    detail: str


@dataclass(frozen=True, slots=True)
class Throttled:
    """Try again, not before `after` seconds (None: the provider did not say)."""

    after: float | None
    detail: str


@dataclass(frozen=True, slots=True)
class Permanent:
    """Never will. `address_is_dead`: nor will any other message to this address, as far as the provider knew at
    `dead_as_of` (None: it gives no time)."""

    detail: str
    address_is_dead: bool = False
    dead_as_of: datetime | None = None


@dataclass(frozen=True, slots=True)
class Misconfigured:
    """The account, not the message, is wrong: credentials, project, quota of zero."""

    detail: str


@dataclass(frozen=True, slots=True)
class InDoubt:
    """It was written and no answer came. `cut`: its connection ended, with others on it."""

    detail: str
    cut: bool = False


Verdict = Sent | Temporary | Throttled | Permanent | Misconfigured | InDoubt


@dataclass(frozen=True)
class SendRequest:
    """One notification, as any surface asks for it. Exactly one of `send_at`/now; times are aware UTC."""

    recipient: str  #: external_id
    template: str
    category: str = ""
    channels: tuple[str, ...] | None = None  #: None: all that the template has; an empty one is refused
    data: Mapping[str, Any] = field(default_factory=dict)
    mode: Mode = Mode.LIVE
    send_at: datetime | None = None
    not_after: datetime | None = None
    #: not even the template's own: a test send must not wait for its tester's quiet hours
    without_category: bool = False
