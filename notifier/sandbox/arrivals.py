"""The messages that arrived, counted by the receiver: tests and the demo trust this count and not the sender's.

A message is one pair of address and delivery. A million messages cost 140 MB (measured): an eight-byte digest a message
in one dict, and the details of the first DETAIL messages only.
"""

from __future__ import annotations

import time
from array import array
from collections import Counter
from hashlib import blake2b
from typing import Any, NamedTuple

DETAIL = 100_000


class Arrival(NamedTuple):
    at: float
    address: str
    delivery: str
    title: str
    channel: str


class Arrivals:
    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.received = 0
        self.accepted = 0
        self.by_status: Counter[str] = Counter()
        self.by_channel: Counter[str] = Counter()
        self._times: dict[bytes, int] = {}
        self._at = array("d")
        self._kept: list[Arrival] = []

    def count(self, outcome: str) -> None:
        """One more request ended with `outcome`: an HTTP status, or `reset`, `hangup`, `refused`."""
        self.received += 1
        self.by_status[outcome] += 1

    def take(self, address: str, delivery: str, title: str, channel: str = "push") -> None:
        """Record an accepted message. `delivery`: the delivery's id, which tells two messages to one address apart."""
        now = time.time()
        self.accepted += 1
        self._at.append(now)
        digest = blake2b(f"{address}\0{delivery}".encode(), digest_size=8).digest()
        self._times[digest] = self._times.get(digest, 0) + 1
        self.by_channel[channel] += 1
        if len(self._kept) < DETAIL:
            self._kept.append(Arrival(now, address, delivery, title, channel))

    def report(self, since: float | None = None) -> dict[str, Any]:
        """Counts and times. Percentiles count from `since` (Unix time, such as the time of GO) or the first arrival."""
        at = sorted(self._at)
        start = since if since is not None else (at[0] if at else 0.0)
        return {
            "received": self.received,
            "accepted": self.accepted,
            "unique": len(self._times),
            "duplicates": self.accepted - len(self._times),
            "by_status": dict(self.by_status),
            "by_channel": dict(self.by_channel),
            "first_at": at[0] if at else None,
            "last_at": at[-1] if at else None,
            "seconds": at[-1] - at[0] if at else 0.0,
            **{f"p{p}_ms": _percentile(at, p, start) for p in (50, 95, 99)},
        }

    def detail(self, limit: int, address: str = "") -> list[dict[str, Any]]:
        """Up to `limit` accepted messages, to `address` if given; oldest first."""
        start = self._at[0] if self._at else 0.0
        chosen = (a for a in self._kept if not address or a.address == address)
        return [
            {
                "address": a.address,
                "delivery": a.delivery,
                "title": a.title,
                "channel": a.channel,
                "offset_ms": round((a.at - start) * 1000, 3),
            }
            for a, _ in zip(chosen, range(limit), strict=False)
        ]


def _percentile(at: list[float], percent: int, start: float) -> float | None:
    if not at:
        return None
    return round((at[min(len(at) - 1, len(at) * percent // 100)] - start) * 1000, 3)
