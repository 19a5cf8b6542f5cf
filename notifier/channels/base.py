"""The channel contract and its registry. A new channel is one new file in this folder, and nothing else."""

from __future__ import annotations

import importlib
import pkgutil
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, ClassVar, Self

from notifier.errors import InvalidInput
from notifier.vocabulary.content import TenantRules
from notifier.vocabulary.people import Address, Person

#: the text of a channel's `unread_part` that stands for a number: the unread messages in the recipient's inbox when the
#: message leaves
UNREAD = "unread"


@dataclass(frozen=True)
class Envelope:
    """The data of a message besides its content."""

    delivery_id: uuid.UUID
    tenant_id: uuid.UUID
    recipient_id: uuid.UUID
    address: Address
    #: the same for every repeat of this delivery, so that a phone shows one message
    collapse_key: str
    category: str = ""
    campaign_id: uuid.UUID | None = None
    expires_in: int | None = None  #: seconds until the message is stale
    urgent: bool = False
    unsubscribe_url: str = ""  #: by which the recipient opts out of the category, for channels that carry it
    rehearsal: bool = False  #: the provider checks the message and delivers nothing


@dataclass(frozen=True)
class Message:
    """Base of every channel's message class."""

    envelope: Envelope
    #: the body of its request, where the provider made it beforehand (Provider.prepare)
    prepared: bytes = field(default=b"", kw_only=True)

    def with_prepared(self, body: bytes) -> Self:
        """The message with this prepared body. 0.5 µs; dataclasses.replace takes 16."""
        message = object.__new__(type(self))
        message.__dict__.update(self.__dict__, prepared=body)
        return message

    @property
    def file_bytes(self) -> int:
        """Bytes of the files that the message carries: what its request costs in memory."""
        return 0


class Channel(ABC):
    """The differences between channels."""

    name: ClassVar[str]
    #: template part -> whether the part is required
    parts: ClassVar[Mapping[str, bool]]
    #: template part -> what it is, for the person who writes a template; a part that explains itself may lack
    part_help: ClassVar[Mapping[str, str]] = {}
    #: part that is an object -> the names that it may have, and what each is; a part without a line takes any name
    key_help: ClassVar[Mapping[str, Mapping[str, str]]] = {}
    #: template part -> the most characters of its rendered text
    longest: ClassVar[Mapping[str, int]] = {}
    #: the same address as `addresses` gives, in SQL over a recipient `r` and a device `d`: suppressions are then read
    #: with the recipients. Empty: they are read in a query of their own
    address_sql: ClassVar[str] = ""
    #: a message of the bulk lane carries a link by which the recipient opts out of its category
    carries_unsubscribe_url: ClassVar[bool] = False
    #: its addresses are tokens of devices, which their platform spells in its own way (tenants.people.platforms)
    of_devices: ClassVar[bool] = False
    #: parts that are HTML: variables in them are escaped
    html_parts: ClassVar[frozenset[str]] = frozenset()
    #: parts that are objects of texts
    object_parts: ClassVar[frozenset[str]] = frozenset({"data"})
    #: parts that are lists of files (notifier.delivery.content.attachments)
    file_parts: ClassVar[frozenset[str]] = frozenset()
    #: parts that are the same for every recipient: no variable may stand in them
    fixed_parts: ClassVar[frozenset[str]] = frozenset()
    #: a message that has any of these parts needs a text in one of them
    shown: ClassVar[frozenset[str]] = frozenset()
    #: the part whose text may be UNREAD
    unread_part: ClassVar[str] = ""
    #: a text part -> the HTML part from which it is derived when a template lacks it
    text_of: ClassVar[Mapping[str, str]] = {}
    #: the part that names the sender; a tenant may use its own senders only
    sender_part: ClassVar[str] = ""
    #: parts of which `check_content` checks more than the length
    inspected: ClassVar[frozenset[str]] = frozenset()
    #: parts of which a campaign stores the constant text once, and for each message only the values between
    divisible: ClassVar[frozenset[str]] = frozenset()
    #: parts that `finish` changes after they were rendered
    finished: ClassVar[frozenset[str]] = frozenset()
    #: how an editor shows a part: texts of several lines; parts below "Advanced"; addresses of pictures, which can be
    #: uploaded; texts that are offered for a part
    multiline: ClassVar[frozenset[str]] = frozenset()
    advanced: ClassVar[frozenset[str]] = frozenset()
    image_parts: ClassVar[frozenset[str]] = frozenset()
    offered: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    #: how a preview shows a message: `phone`, `card`, `mail`, `bubble`, `chat`, or `parts`, a table of its parts
    look: ClassVar[str] = "parts"
    #: the provider bills a message by segments: `segments` counts them
    segmented: ClassVar[bool] = False
    #: an unanswered request may be repeated, because the collapse key hides a repeat. False: it ends as `unknown`
    repeat_when_in_doubt: ClassVar[bool] = True
    #: the recipient sees one message however often it arrives. False: a restored backup sends none that may have left
    hides_repeats: ClassVar[bool] = False
    #: messages that are in flight at once: what a crash may repeat. 400 is the least that the transport has in flight
    #: (4 connections of 100 streams): with 500, the last 100 began 2.4 s after a stop when the server took 2.5 s to
    #: answer. Campaigns use `in_flight`
    window: ClassVar[int] = 400

    _registry: ClassVar[dict[str, Channel]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.__dict__.get("name"):
            Channel._registry[cls.name] = cls()

    def in_flight(self, streams: int) -> int:
        """How many messages one shard of a campaign may have in flight over a transport of so many streams. `window`
        where a repeat hurts; else every stream, because the collapse key hides what a crash repeats."""
        return streams if self.repeat_when_in_doubt else min(streams, self.window)

    @abstractmethod
    def addresses(self, person: Person) -> tuple[Address, ...]:
        """All addresses at which this person can be reached on this channel."""

    @abstractmethod
    def message(self, envelope: Envelope, content: Mapping[str, Any]) -> Message:
        """The message from rendered template parts."""

    def check_address(self, address: str, is_recipient: Callable[[str], bool]) -> str:
        """The address as `addresses` returns it, from a typed text. Raises InvalidInput, with the remedy, for a text
        that can be no address of this channel. `is_recipient`: whether the tenant has a recipient of an external id."""
        if not address.isprintable() or " " in address:
            raise InvalidInput("An address has no blanks and no invisible characters.", field="address")
        return address

    def stored_spelling(self, address: str) -> str:
        """The address as `addresses` returns it, from one that a provider reports."""
        return address

    def check_parts(self, parts: Mapping[str, Any]) -> None:
        """Raise InvalidInput unless a template of this channel may have exactly these `parts`."""
        for part in parts:
            if part not in self.parts:
                known = ", ".join(self.parts)
                raise InvalidInput(f"{self.name} has no part {part!r}; it has: {known}.", field=part)
        for part, required in self.parts.items():
            if required and not parts.get(part):
                raise InvalidInput(f"{self.name} needs the part {part!r}.", field=part)

    def finish(self, text: str, rules: TenantRules) -> str:
        """The text of a rendered part of `finished` as it is stored, counted and sent."""
        return text

    def is_silent(self, parts: Mapping[str, Any]) -> bool:
        """Whether a message with these parts shows nothing to its recipient, on a channel that allows it."""
        return bool(self.shown) and not any(parts.get(part) for part in self.shown)

    def segments(self, content: Mapping[str, Any]) -> int:
        """How many segments the provider bills for a message with this content; 0 on a channel without segments."""
        return 0

    def check_content(self, parts: Mapping[str, Any], rules: TenantRules) -> None:
        """Raise InvalidInput, naming the part, for rendered parts that no provider of this channel may get. `parts` may
        lack parts that are not rendered yet."""
        for part, limit in self.longest.items():
            if len(parts.get(part, "")) > limit:
                raise InvalidInput(f"The {part} has more than {limit} characters.", field=part)

    def check_whole(self, parts: Mapping[str, Any]) -> None:
        """Raise InvalidInput, naming the part, for the rendered parts of a message that shows nothing, although its
        template has parts that are shown. `parts` lacks nothing, other than in `check_content`."""
        shown = [part for part in parts if part in self.shown]
        if shown and not any(parts[part] for part in shown):
            raise InvalidInput(f"Nothing to show: {' and '.join(shown)} are empty for this recipient.", field=shown[0])


@lru_cache(maxsize=1)
def _load() -> None:
    package = importlib.import_module("notifier.channels")
    for module in pkgutil.iter_modules(package.__path__, "notifier.channels."):
        importlib.import_module(module.name)


def channels() -> Mapping[str, Channel]:
    """All channels by name."""
    _load()
    return Channel._registry


def channel(name: str) -> Channel:
    """One channel. Raises InvalidInput for a name that no file of this folder defines."""
    try:
        return channels()[name]
    except KeyError:
        known = ", ".join(sorted(channels()))
        raise InvalidInput(f"Unknown channel {name!r}; known: {known}.", field="channels") from None
