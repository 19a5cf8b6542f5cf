"""Which messages one socket has been sent, and which come next. Pure; its memory is bounded however much is
announced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from inbox.store.counters import Counters

#: announced messages, and read marks, that wait for a slow socket; further messages come from the table
WAITING_AT_MOST = 50


@dataclass
class SyncState:
    """The state of one socket. Sequence numbers have no gaps, so the next message to send is always number `seq +
    1`."""

    seq: int  #: every message up to this number was sent, or was deleted
    counters: Counters  #: the newest counters that were announced to this socket
    sent_counters: Counters | None = None  #: the counters that the client was sent last
    waiting: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    reads: list[Mapping[str, Any]] = field(default_factory=list)

    @property
    def is_behind(self) -> bool:
        return self.counters.last_seq > self.seq

    def receive_announcement(self, news: Mapping[str, Any]) -> None:
        """Take in an announcement. Announcements may come twice, late, in any order or not at all."""
        self.counters = self.counters.merged(Counters(news["last_seq"], news["unread"]))
        for message in news.get("messages", ()):
            if message["seq"] > self.seq and len(self.waiting) < WAITING_AT_MOST:
                self.waiting[message["seq"]] = message
        if "read" in news and len(self.reads) < WAITING_AT_MOST:
            self.reads.append(news["read"])

    def next_messages(self) -> list[Mapping[str, Any]]:
        """The announced messages that follow `seq` without a gap. Empty if the next message was not announced: read it
        from the table."""
        messages = []
        while (message := self.waiting.pop(self.seq + 1, None)) is not None:
            messages.append(message)
            self.seq += 1
        self.waiting = {seq: m for seq, m in self.waiting.items() if seq > self.seq}
        return messages

    def accept_page(self, page: Sequence[Mapping[str, Any]], *, whole: bool, target: int) -> list[Mapping[str, Any]]:
        """The messages that the table has after `seq`. `whole`: the table has no further message up to `target`."""
        if page:
            self.seq = page[-1]["seq"]
        if whole:
            # a message that the table lacks now was erased, or its month was dropped: it never comes
            self.seq = max(self.seq, target)
        return list(page)

    def take_read_marks(self) -> list[Mapping[str, Any]]:
        """The read marks that other sockets or the API made since the last call."""
        reads, self.reads = self.reads, []
        return reads
