"""Limits the sockets whose client has not shown yet who it is: of one address, and in this process.

Such a socket holds 20 KB of memory. An inbox's socket counts until its hello with a token (`inbox.live`), a campaign's
until its session is read (`campaigns.live`).
"""

from __future__ import annotations

from collections import Counter

from notifier.web.limits import counted_as, uncount

#: the widget says hello within a round trip, so 400 at once allow some thousand new sockets a second
MAX_UNVERIFIED = 400
MAX_UNVERIFIED_PER_ADDRESS = 40
#: sockets by address; the key None counts all sockets whose address has no limit of its own
_unverified: Counter[str | None] = Counter()


def enter(host: str | None) -> bool:
    """Count a new socket until `leave`. False if there are too many; then the socket is not counted."""
    name = counted_as(host)
    if _unverified.total() >= MAX_UNVERIFIED or (name is not None and _unverified[name] >= MAX_UNVERIFIED_PER_ADDRESS):
        return False
    _unverified[name] += 1
    return True


def leave(host: str | None) -> None:
    uncount(_unverified, counted_as(host))
