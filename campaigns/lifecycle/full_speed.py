"""Whether some campaign leaves as fast as it can, so that nobody's outcomes are copied into the ledger beside it.

Senders say so, in Redis, while no limit holds them back; the word lapses soon after the last of them. While Redis is
away nobody hears of it, and the copying goes on beside the sending.
"""

from __future__ import annotations

import uuid

from notifier.delivery.infra import redis
from notifier.delivery.infra.ttl_cache import TtlCache

_KEY = "campaigns:full_speed"
#: seconds from one word of a process to the next (0.2 ms each), and for which it counts
SAY, LAPSE = 0.5, 2.0
#: campaigns whose account or own rate granted less than was wanted, within a second
_held_back = TtlCache[uuid.UUID, bool](seconds=1.0)
_said = TtlCache[uuid.UUID, bool](seconds=SAY)
#: a Redis that hangs costs 2 s a question
_away = TtlCache[str, bool](seconds=5.0)


def note_grant(campaign_id: uuid.UUID, *, whole: bool) -> None:
    """A sender asked its limits for some messages; `whole`: all of them may leave."""
    if not whole:
        _held_back.keep(campaign_id, True)
    elif not (_said.get(campaign_id) or _held_back.get(campaign_id) or _away.get(_KEY)):
        _said.keep(campaign_id, True)
        try:
            redis.client().set(_KEY, 1, px=int(LAPSE * 1000))
        except redis.Unavailable:
            _away.keep(_KEY, True)


def is_active() -> bool:
    """Whether some campaign leaves as fast as it can."""
    try:
        return bool(redis.client().exists(_KEY))
    except redis.Unavailable:
        return False


def reset() -> None:
    """Forget what this process said and heard."""
    for memory in (_held_back, _said, _away):
        memory.clear()
