"""Sockets that have not said hello: how many there may be, of one address and in this process. Each holds 20 KB, and
whoever opens one needs no token."""

from __future__ import annotations

from collections import Counter

from notifier.web.limits import counted_as

#: an inbox says hello within a round trip, so that 400 at once are some thousand new sockets a second
MAX_SILENT = 400
MAX_SILENT_PER_ADDRESS = 40
#: by address; those whose address is not counted are under None
_silent: Counter[str | None] = Counter()


def enter(host: str | None) -> bool:
    """Count a new socket, which `leave` ends. False: there are too many, and it is not counted."""
    name = counted_as(host)
    if _silent.total() >= MAX_SILENT or (name is not None and _silent[name] >= MAX_SILENT_PER_ADDRESS):
        return False
    _silent[name] += 1
    return True


def leave(host: str | None) -> None:
    name = counted_as(host)
    _silent[name] -= 1
    if not _silent[name]:
        del _silent[name]
