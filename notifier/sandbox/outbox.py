"""The newest messages that arrived, whole, so that a person can read them on the outbox page.

Each channel keeps messages of its own, up to KEPT and KEPT_BYTES: a campaign of pushes leaves the mail before it
readable.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

KEPT = 500  #: messages of each channel
KEPT_BYTES = 32 * 1024 * 1024  #: bytes of each channel; the newest message stays, whatever its size
_FIXED_BYTES = 500  #: what a message costs beside its contents


class Attachment(NamedTuple):
    name: str
    content_type: str
    content: bytes
    content_id: str = ""  #: how `html` refers to it: `cid:…`


class OutboxItem(NamedTuple):
    """A message as it arrived. A fake service fills in what it knows; what is not known stays empty.

    `source`: the bytes that the client sent. For a mail in MIME that is all that the page needs: it reads subject,
    parts, headers and attachments from the source when a person opens the message.
    """

    channel: str
    address: str
    delivery: str = ""  #: the delivery's id
    title: str = ""  #: a mail's subject, a push's title
    text: str = ""
    html: str = ""
    headers: Sequence[tuple[str, str]] = ()
    source: bytes = b""
    service: str = ""  #: the fake service that took the message, such as `twilio`
    sender: str = ""
    attachments: Sequence[Attachment] = ()
    image: str = ""  #: an address
    link: str = ""  #: what a push opens
    mime: bool = False  #: `source` is a mail in MIME
    inbound: bool = False  #: the recipient wrote this message
    open: Callable[[], OutboxItem] | None = None  #: decrypts the message: called once, when a person reads it


class Channel:
    """The newest messages of one channel, as fields of Kept: a plain tuple is made in a third of the time."""

    __slots__ = ("bytes", "messages")

    def __init__(self) -> None:
        self.messages: deque[tuple[int, float, OutboxItem, int]] = deque()
        self.bytes = 0


class Kept(NamedTuple):
    number: int  #: grows by one with each message of the outbox
    at: float
    item: OutboxItem
    size: int


class Outbox:
    def __init__(self) -> None:
        self.last = 0  #: the number of the newest message
        self.run = 0  #: grows by one with each reset
        self.reset()

    def reset(self) -> None:
        self.run += 1
        self._channels: dict[str, Channel] = {}

    def add(self, item: OutboxItem) -> None:
        """Keep this message, and forget the oldest messages of its channel beyond the limits."""
        channel = self._channels.get(item.channel)
        if channel is None:
            channel = self._channels[item.channel] = Channel()
        self.last += 1
        size = _FIXED_BYTES + len(item.source) + len(item.html) + len(item.text)
        if item.attachments:
            size += sum(len(attachment.content) for attachment in item.attachments)
        messages = channel.messages
        messages.append((self.last, time.time(), item, size))
        channel.bytes += size
        while len(messages) > KEPT or (channel.bytes > KEPT_BYTES and len(messages) > 1):
            channel.bytes -= messages.popleft()[3]

    def messages(self, channel: str = "", search: str = "", after: int = 0) -> Iterator[Kept]:
        """Newest first: of this channel, with `search` in the address or the title, with a number above `after`."""
        for stored in self._channels.values():
            _open_all(stored)
        chosen = [
            Kept._make(message)
            for name, stored in self._channels.items()
            if channel in ("", name)
            for message in stored.messages
            if message[0] > after
        ]
        chosen.sort(reverse=True)
        fragment = search.casefold()
        return (kept for kept in chosen if fragment in f"{kept.item.address}\0{kept.item.title}".casefold())

    def find(self, number: int) -> Kept | None:
        """The message of this number; None when it is forgotten."""
        return next((kept for kept in self.messages() if kept.number == number), None)

    def channels(self) -> dict[str, int]:
        """How many messages of each channel are kept."""
        return {name: len(stored.messages) for name, stored in self._channels.items()}


def _open_all(channel: Channel) -> None:
    """Decrypt what was kept as it arrived."""
    messages = channel.messages
    if any(item.open is not None for _, _, item, _ in messages):
        channel.messages = deque(
            (number, at, item if item.open is None else item.open(), size) for number, at, item, size in messages
        )
