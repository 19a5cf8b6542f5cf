"""Counts the connections of this process for each address, and knows which connections wait for a request."""

from __future__ import annotations

from collections import Counter
from typing import Protocol

from notifier.web import limits


class Closable(Protocol):
    def close_idle(self) -> None:
        """Close a connection on which no request is being answered."""


_of_address: Counter[str] = Counter()
#: the connection that has waited longest comes first: a dict keeps the order of insertion
_idle: dict[Closable, None] = {}


def enter(host: str | None) -> bool:
    """Count a new connection of this address until `leave`. False if the address has too many; the connection is
    counted nevertheless."""
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
    """No request is being answered on the connection."""
    _idle[connection] = None


def mark_busy(connection: Closable) -> None:
    """A request is being answered on the connection, or it is closed."""
    _idle.pop(connection, None)


def make_room(newcomer: Closable) -> bool:
    """Close the connection that has waited longest for a request, so that the newcomer is served although one client
    holds all connections that there may be. False if every other connection is busy."""
    oldest = next((c for c in _idle if c is not newcomer), None)
    if oldest is None:
        return False
    mark_busy(oldest)
    oldest.close_idle()
    return True
