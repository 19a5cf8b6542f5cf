"""What a provider answered for one message."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Sent:
    """The provider took the message. `final`: the message has arrived with that (the inbox). `receipt_after`: the
    provider's server must be asked after so many seconds what became of the message (Provider.polls_receipts); None:
    there is nothing to ask."""

    provider_ref: str = ""
    final: bool = False
    receipt_after: float | None = None


@dataclass(frozen=True, slots=True)
class Temporary:
    """Try again later. `unavailable`: the provider's server took nothing of the message and takes no other message
    either, as far as the answer tells, so another account may take this one at once. `one_address`: the answer says
    nothing about messages of the account to other addresses, such as that of a push service that one browser named.
    `disconnected`: there is no answer: a connection ended before it took the message, or none came free."""

    detail: str
    unavailable: bool = False
    one_address: bool = False
    disconnected: bool = False


@dataclass(frozen=True, slots=True)
class Throttled:
    """Try again, not before `after` seconds (None: the provider did not say)."""

    after: float | None
    detail: str


@dataclass(frozen=True, slots=True)
class Permanent:
    """The message will never be taken. `address_is_dead`: nor any other message to this address, as far as the provider
    knew at `dead_as_of` (None: it gives no time)."""

    detail: str
    address_is_dead: bool = False
    dead_as_of: datetime | None = None


@dataclass(frozen=True, slots=True)
class Misconfigured:
    """The account, not the message, is wrong: credentials, project, quota of zero. `one_address`: the account reaches
    other addresses and not this one, such as a device token of the other environment of APNs; no other attempt
    follows."""

    detail: str
    one_address: bool = False


@dataclass(frozen=True, slots=True)
class InDoubt:
    """The request was written and no answer came. `disconnected`: the connection ended under several requests."""

    detail: str
    disconnected: bool = False


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The message was taken back before it began: nothing is known about message, account and provider."""

    detail: str = "withdrawn"


Verdict = Sent | Temporary | Throttled | Permanent | Misconfigured | InDoubt | Withdrawn
