"""Limits the sockets whose client has not shown yet who it is: of one address, and in this process.

Such a socket holds 20 KB of memory. An inbox's socket counts until its hello with a token (`inbox.live`), a campaign's
until its session is read (`campaigns.live`).
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from notifier.web.limits import counted_as, uncount

#: the widget says hello within a round trip, so 400 at once allow some thousand new sockets a second
MAX_UNVERIFIED = 400
MAX_UNVERIFIED_PER_ADDRESS = 40
#: seconds after which a refused client comes again: at random from 2 to `_Refusals.longest`, which is 10 to 120
RETRY_AFTER = (2, 120)
_LONGEST_AT_FIRST = 10.0
#: sockets by address; the key None counts all sockets whose address has no limit of its own
_unverified: Counter[str | None] = Counter()


class _Refusals:
    """Spreads refused clients over a longer time while more sockets are refused than opened. With 10 s at most, 6,000
    clients of a killed process were refused 36,000 times on a busy machine, and took 119 s to come back."""

    def __init__(self) -> None:
        self.longest = _LONGEST_AT_FIRST
        self.refused = self.opened = 0
        self._since = time.monotonic()

    def seconds(self) -> int:
        """Count a refusal. Returns when its client comes again."""
        self.refused += 1
        now = time.monotonic()
        if now - self._since >= 1.0:
            factor = 1.5 if self.refused > self.opened else 0.8
            self.longest = min(RETRY_AFTER[1], max(_LONGEST_AT_FIRST, self.longest * factor))
            self.refused, self.opened, self._since = 0, 0, now
        return random.randint(RETRY_AFTER[0], int(self.longest))  # noqa: S311


_refusals = _Refusals()


def enter(host: str | None) -> bool:
    """Count a new socket until `leave`. False if there are too many; then the socket is not counted."""
    name = counted_as(host)
    if not _has_room(name):
        return False
    _unverified[name] += 1
    _refusals.opened += 1
    return True


def leave(host: str | None) -> None:
    uncount(_unverified, counted_as(host))


def has_room(host: str | None) -> bool:
    """Whether a socket from this address may open."""
    return _has_room(counted_as(host))


def retry_after() -> int:
    """Seconds for the header Retry-After of a refusal, which this call counts."""
    return _refusals.seconds()


async def refuse(send: Callable[[Mapping[str, Any]], Awaitable[None]]) -> None:
    """Answer the upgrade with 503; no socket is opened."""
    headers = [(b"content-type", b"text/plain"), (b"retry-after", b"%d" % retry_after())]
    await send({"type": "websocket.http.response.start", "status": 503, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": b"Too many sockets without a hello.\n"})


def _has_room(name: str | None) -> bool:
    if _unverified.total() >= MAX_UNVERIFIED:
        return False
    return name is None or _unverified[name] < MAX_UNVERIFIED_PER_ADDRESS
