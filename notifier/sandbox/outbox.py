"""The newest messages that arrived, whole, so that a person can read them on the outbox page.

Each channel keeps messages of its own, up to KEPT and KEPT_BYTES: a campaign of pushes leaves the mail before it
readable.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
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
        self._kept: dict[str, deque[Kept]] = {}
        self._bytes: dict[str, int] = {}

    def add(self, item: OutboxItem) -> None:
        """Keep this message, and forget the oldest messages of its channel beyond the limits. Costs 2 µs."""
        channel = item.channel
        kept = self._kept.get(channel)
        if kept is None:
            kept = self._kept[channel] = deque()
            self._bytes[channel] = 0
        self.last += 1
        size = _FIXED_BYTES + len(item.source) + len(item.html) + len(item.text)
        for attachment in item.attachments:
            size += len(attachment.content)
        kept.append(Kept(self.last, time.time(), item, size))
        total = self._bytes[channel] + size
        while len(kept) > 1 and (len(kept) > KEPT or total > KEPT_BYTES):
            total -= kept.popleft().size
        self._bytes[channel] = total

    def messages(self, channel: str = "", search: str = "", after: int = 0) -> Iterator[Kept]:
        """Newest first: of this channel, with `search` in the address or the title, with a number above `after`."""
        queues = [self._kept.get(channel, deque())] if channel else self._kept.values()
        chosen = [kept for queue in queues for kept in queue if kept.number > after]
        chosen.sort(reverse=True)
        fragment = search.casefold()
        return (kept for kept in chosen if fragment in f"{kept.item.address}\0{kept.item.title}".casefold())

    def find(self, number: int) -> Kept | None:
        """The message of this number; None when it is forgotten."""
        return next((kept for queue in self._kept.values() for kept in queue if kept.number == number), None)

    def channels(self) -> dict[str, int]:
        """How many messages of each channel are kept."""
        return {channel: len(queue) for channel, queue in self._kept.items()}
