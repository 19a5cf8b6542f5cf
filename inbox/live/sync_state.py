"""Which messages and changes one socket has been sent, and which come next. Pure; its memory is bounded however much is
announced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from inbox.store.counters import Counters, from_json

#: announced messages, and announced changes, that wait for a slow socket; further ones come from the table
WAITING_AT_MOST = 50
#: what an announcement of one change carries besides the counters
_KINDS = ("changes", "read", "seen")


@dataclass(slots=True)
class SyncState:
    """The state of one socket. Numbers of messages and of changes follow each other, so the next message to send is
    number `seq + 1`, and the next change number `revision + 1`. What is missing is read from the table."""

    seq: int  #: every message up to this number was sent, or has left the inbox
    revision: int  #: every change up to this number was sent
    counters: Counters  #: the newest counters that were announced to this socket
    sent_counters: Counters | None = None  #: the counters that the client was sent last
    waiting: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    waiting_changes: dict[int, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def is_behind(self) -> bool:
        return self.counters.last_seq > self.seq

    @property
    def misses_changes(self) -> bool:
        return self.counters.revision > self.revision

    def begin(self, counters: Counters, after_seq: int | None, after_revision: int | None) -> None:
        """The client has everything up to these numbers; None for everything up to now. Announcements may have come
        before."""
        self.seq = counters.last_seq if after_seq is None else min(after_seq, counters.last_seq)
        self.waiting = {seq: m for seq, m in self.waiting.items() if seq > self.seq}
        self.accept_changes(counters.revision if after_revision is None else min(after_revision, counters.revision))
        self.merge(counters)

    def receive_announcement(self, news: Mapping[str, Any]) -> None:
        """Take in an announcement. Announcements may come twice, late, in any order or not at all."""
        self.merge(from_json(news))
        for message in news.get("messages", ()):
            if message["seq"] > self.seq and len(self.waiting) < WAITING_AT_MOST:
                self.waiting[message["seq"]] = message
        change = {kind: news[kind] for kind in _KINDS if kind in news}
        if change and news["revision"] > self.revision and len(self.waiting_changes) < WAITING_AT_MOST:
            self.waiting_changes[news["revision"]] = change

    def merge(self, counters: Counters) -> None:
        """Take in counters that were read from the table."""
        self.counters = self.counters.merged(counters)

    def next_messages(self) -> list[Mapping[str, Any]]:
        """The announced messages that follow `seq` without a gap. Empty if the next message was not announced: read it
        from the table."""
        messages = []
        while (message := self.waiting.pop(self.seq + 1, None)) is not None:
            messages.append(message)
            self.seq += 1
        if self.waiting:
            self.waiting = {seq: m for seq, m in self.waiting.items() if seq > self.seq}
        return messages

    def accept_page(self, page: Sequence[Mapping[str, Any]], *, whole: bool, target: int) -> list[Mapping[str, Any]]:
        """The messages that the table has after `seq`. `whole`: the table has no further message up to `target`."""
        if page:
            self.seq = page[-1]["seq"]
        if whole:
            # a message that the table lacks now has left the inbox, or its month was dropped: it does not come
            self.seq = max(self.seq, target)
        return list(page)

    def next_change(self) -> Mapping[str, Any] | None:
        """The announced change that follows `revision`. None if it was not announced: read it from the table."""
        change = self.waiting_changes.pop(self.revision + 1, None)
        self.revision += change is not None
        return change

    def accept_changes(self, target: int) -> None:
        """The socket was sent all changes that the table has, up to `target` at least."""
        self.revision = max(self.revision, target)
        self.waiting_changes = {number: c for number, c in self.waiting_changes.items() if number > self.revision}
