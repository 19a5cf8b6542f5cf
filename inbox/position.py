"""What one socket has been sent and has yet to be sent. Pure, and bounded however much is announced to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from inbox.live import Counters

#: announced messages and read marks that wait for a slow socket; beyond it the messages come from the table
WAITING_AT_MOST = 50


@dataclass
class Position:
    """Sequence numbers have no gaps, so the next message to send is always number `seq + 1`."""

    seq: int  #: everything up to here was sent, or is known to be gone
    counters: Counters  #: the newest that this socket has heard of
    told: Counters | None = None  #: the newest that it has sent on
    waiting: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    reads: list[Mapping[str, Any]] = field(default_factory=list)

    @property
    def behind(self) -> bool:
        return self.counters.last_seq > self.seq

    def hear(self, news: Mapping[str, Any]) -> None:
        """Take in an announcement. They may come twice, late, in any order or not at all."""
        self.counters = self.counters.merged(Counters(news["last_seq"], news["unread"]))
        for message in news.get("messages", ()):
            if message["seq"] > self.seq and len(self.waiting) < WAITING_AT_MOST:
                self.waiting[message["seq"]] = message
        if "read" in news and len(self.reads) < WAITING_AT_MOST:
            self.reads.append(news["read"])

    def take(self) -> list[Mapping[str, Any]]:
        """The announced messages that come next, without a gap. Empty while behind: ask the table."""
        run = []
        while (message := self.waiting.pop(self.seq + 1, None)) is not None:
            run.append(message)
            self.seq += 1
        self.waiting = {seq: m for seq, m in self.waiting.items() if seq > self.seq}
        return run

    def take_page(self, page: Sequence[Mapping[str, Any]], *, whole: bool, target: int) -> list[Mapping[str, Any]]:
        """The same from what the table has after `seq`. `whole`: it has nothing more up to `target`."""
        if page:
            self.seq = page[-1]["seq"]
        if whole:
            # what is not there now was erased or its month is gone; it never comes
            self.seq = max(self.seq, target)
        return list(page)

    def take_reads(self) -> list[Mapping[str, Any]]:
        """The read marks made elsewhere, once."""
        reads, self.reads = self.reads, []
        return reads
