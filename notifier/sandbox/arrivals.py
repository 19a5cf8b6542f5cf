"""The messages that arrived, counted by the receiver: tests and the demo trust this count and not the sender's.

A message is one pair of address and delivery. A million messages cost 140 MB (measured): an eight-byte digest a message
in one dict for each channel, and the details of each channel's first DETAIL messages only.
"""

from __future__ import annotations

import heapq
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


class ChannelArrivals:
    """The accepted messages of one channel."""

    def __init__(self) -> None:
        self.times: dict[bytes, int] = {}  #: digest of a message -> how often it was accepted
        self.at = array("d")  #: when
        self.kept: list[Arrival] = []


class Arrivals:
    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.received = 0
        self.by_status: Counter[str] = Counter()
        self._by_service: dict[str, Counter[str]] = {}
        self._channels: dict[str, ChannelArrivals] = {}

    def count(self, outcome: str, service: str = "") -> None:
        """One more request to `service` ended with `outcome`: a status, or `reset`, `hangup`, `refused`."""
        self.received += 1
        self.by_status[outcome] += 1
        if service:
            counts = self._by_service.get(service)
            if counts is None:
                counts = self._by_service[service] = Counter()
            counts[outcome] += 1

    def take(self, address: str, delivery: str, title: str, channel: str = "push", *, identity: str = "") -> None:
        """Record an accepted message. `delivery`: the delivery's id, which tells two messages to one address apart;
        `identity` does so in its place where the id is not read from every message."""
        now = time.time()
        arrived = self._channels.get(channel)
        if arrived is None:
            arrived = self._channels[channel] = ChannelArrivals()
        arrived.at.append(now)
        digest = blake2b(f"{address}\0{identity or delivery}".encode(), digest_size=8).digest()
        arrived.times[digest] = arrived.times.get(digest, 0) + 1
        if len(arrived.kept) < DETAIL:
            arrived.kept.append(Arrival(now, address, delivery, title, channel))

    def report(self, since: float | None = None) -> dict[str, Any]:
        """Counts and times of all channels together, and of each channel. Percentiles count from `since` (Unix time,
        such as the time of GO) or the first arrival."""
        channels = self._channels.values()
        everything = sorted(at for arrived in channels for at in arrived.at)
        unique = sum(len(arrived.times) for arrived in channels)
        return {
            "received": self.received,
            "by_status": dict(self.by_status),
            "services": {service: dict(counts) for service, counts in self._by_service.items()},
            **_figures(everything, unique, since),
            "channels": {
                name: _figures(sorted(arrived.at), len(arrived.times), since)
                for name, arrived in self._channels.items()
            },
        }

    def detail(self, limit: int, address: str = "", channel: str = "") -> list[dict[str, Any]]:
        """Up to `limit` accepted messages, to `address` and of `channel` if given; oldest first."""
        kept = [arrived.kept for name, arrived in self._channels.items() if channel in ("", name)]
        start = min((arrivals[0].at for arrivals in kept), default=0.0)
        chosen = (a for a in heapq.merge(*kept) if not address or a.address == address)
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


def _figures(at: list[float], unique: int, since: float | None) -> dict[str, Any]:
    """Counts and times of accepted messages. `at`: their times, ascending."""
    start = since if since is not None else (at[0] if at else 0.0)
    return {
        "accepted": len(at),
        "unique": unique,
        "duplicates": len(at) - unique,
        "first_at": at[0] if at else None,
        "last_at": at[-1] if at else None,
        "seconds": at[-1] - at[0] if at else 0.0,
        **{f"p{p}_ms": _percentile(at, p, start) for p in (50, 95, 99)},
    }


def _percentile(at: list[float], percent: int, start: float) -> float | None:
    if not at:
        return None
    return round((at[min(len(at) - 1, len(at) * percent // 100)] - start) * 1000, 3)
