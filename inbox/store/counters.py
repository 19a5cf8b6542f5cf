"""The counters of one inbox, as the table, an announcement and an open socket hold them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Counters:
    """`last_seq` and the number of read messages (`last_seq - unread`) only grow. So two Counters can be merged
    without a clock."""

    last_seq: int = 0
    unread: int = 0

    def merged(self, other: Counters) -> Counters:
        """The later value of both numbers."""
        last_seq = max(self.last_seq, other.last_seq)
        read = max(self.last_seq - self.unread, other.last_seq - other.unread)
        return Counters(last_seq, last_seq - read)

    def as_json(self) -> dict[str, int]:
        return {"last_seq": self.last_seq, "unread": self.unread}
