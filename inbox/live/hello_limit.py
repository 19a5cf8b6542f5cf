"""Limits the sockets that have not said hello: of one address, and in this process.

Such a socket holds 20 KB of memory, and its client has shown no token.
"""

from __future__ import annotations

from collections import Counter

from notifier.web.limits import counted_as, uncount

#: the widget says hello within a round trip, so 400 at once allow some thousand new sockets a second
MAX_WITHOUT_HELLO = 400
MAX_WITHOUT_HELLO_PER_ADDRESS = 40
#: sockets by address; the key None counts all sockets whose address has no limit of its own
_without_hello: Counter[str | None] = Counter()


def enter(host: str | None) -> bool:
    """Count a new socket until `leave`. False if there are too many; then the socket is not counted."""
    name = counted_as(host)
    if _without_hello.total() >= MAX_WITHOUT_HELLO or (
        name is not None and _without_hello[name] >= MAX_WITHOUT_HELLO_PER_ADDRESS
    ):
        return False
    _without_hello[name] += 1
    return True


def leave(host: str | None) -> None:
    uncount(_without_hello, counted_as(host))
