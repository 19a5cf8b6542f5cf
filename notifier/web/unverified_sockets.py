"""Limits the sockets whose client has not shown yet who it is: of one address, and in this process.

Such a socket holds 20 KB of memory. An inbox's socket counts until its hello with a token (`inbox.live`), a campaign's
until its session is read (`campaigns.live`).
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from notifier.web.limits import counted_as, uncount

#: the widget says hello within a round trip, so 400 at once allow some thousand new sockets a second
MAX_UNVERIFIED = 400
MAX_UNVERIFIED_PER_ADDRESS = 40
#: seconds after which a refused client comes again: a random number, so that refused clients do not come together
RETRY_AFTER = (2, 10)
#: sockets by address; the key None counts all sockets whose address has no limit of its own
_unverified: Counter[str | None] = Counter()


def enter(host: str | None) -> bool:
    """Count a new socket until `leave`. False if there are too many; then the socket is not counted."""
    name = counted_as(host)
    if not _has_room(name):
        return False
    _unverified[name] += 1
    return True


def leave(host: str | None) -> None:
    uncount(_unverified, counted_as(host))


def has_room(host: str | None) -> bool:
    """Whether a socket from this address may open."""
    return _has_room(counted_as(host))


def retry_after() -> int:
    """Seconds for the header Retry-After of a refusal."""
    return random.randint(*RETRY_AFTER)  # noqa: S311


async def refuse(send: Callable[[Mapping[str, Any]], Awaitable[None]]) -> None:
    """Answer the upgrade with 503; no socket is opened."""
    headers = [(b"content-type", b"text/plain"), (b"retry-after", b"%d" % retry_after())]
    await send({"type": "websocket.http.response.start", "status": 503, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": b"Too many sockets without a hello.\n"})


def _has_room(name: str | None) -> bool:
    if _unverified.total() >= MAX_UNVERIFIED:
        return False
    return name is None or _unverified[name] < MAX_UNVERIFIED_PER_ADDRESS
