"""The connections of this process: how many each address has, and which of them wait for a request."""

from __future__ import annotations

from collections import Counter
from typing import Protocol

from notifier.web import limits


class Closable(Protocol):
    def close_idle(self) -> None:
        """Close the connection, on which nothing is being answered."""


_of_address: Counter[str] = Counter()
#: oldest first, because a dict keeps the order of insertion
_idle: dict[Closable, None] = {}


def enter(host: str | None) -> bool:
    """Count a new connection of this address, which `leave` ends. False: the address has too many."""
    name = limits.counted_as(host)
    if name is None:
        return True
    _of_address[name] += 1
    return _of_address[name] <= limits.max_connections_per_address()


def leave(host: str | None) -> None:
    name = limits.counted_as(host)
    if name is not None:
        limits.uncount(_of_address, name)


def mark_idle(connection: Closable) -> None:
    """Nothing is being answered on it."""
    _idle[connection] = None


def mark_busy(connection: Closable) -> None:
    """Something is being answered on it, or it is closed."""
    _idle.pop(connection, None)


def make_room(newcomer: Closable) -> bool:
    """Close the connection that has waited longest for a request, so that a newcomer is answered while somebody holds
    as many connections as there may be. False: all others are at work."""
    oldest = next((c for c in _idle if c is not newcomer), None)
    if oldest is None:
        return False
    mark_busy(oldest)
    oldest.close_idle()
    return True
