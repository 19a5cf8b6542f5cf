"""A flag in Redis: some campaign leaves as fast as it can, so outcomes are not copied into the ledger beside it.

Senders set the flag while no limit holds them back; the flag expires soon after the last of them. While Redis is away
there is no flag, and outcomes are copied beside the sending.
"""

from __future__ import annotations

import uuid

from notifier.delivery.infra import redis
from notifier.delivery.infra.ttl_cache import TtlCache

_KEY = "campaigns:full_speed"
#: seconds after which a process sets the flag again (0.2 ms each), and after which the flag expires
SET_EVERY, EXPIRE = 0.5, 2.0
#: campaigns whose account or own rate granted less than the sender asked for, within a second
_limited = TtlCache[uuid.UUID, bool](seconds=1.0)
_set = TtlCache[uuid.UUID, bool](seconds=SET_EVERY)
#: a Redis that hangs costs 2 s a command
_away = TtlCache[str, bool](seconds=5.0)


def note_grant(campaign_id: uuid.UUID, *, whole: bool) -> None:
    """A sender asked its limits for some messages; `whole`: all of them may leave."""
    if not whole:
        _limited.keep(campaign_id, True)
    elif not (_set.get(campaign_id) or _limited.get(campaign_id) or _away.get(_KEY)):
        _set.keep(campaign_id, True)
        try:
            redis.client().set(_KEY, 1, px=int(EXPIRE * 1000))
        except redis.Unavailable:
            _away.keep(_KEY, True)


def is_active() -> bool:
    """Whether some campaign leaves as fast as it can."""
    try:
        return bool(redis.client().exists(_KEY))
    except redis.Unavailable:
        return False


def reset() -> None:
    """Forget what this process remembers of limits, of the flag and of Redis."""
    for cache in (_limited, _set, _away):
        cache.clear()
