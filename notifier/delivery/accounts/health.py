"""The health of provider accounts: 100 at most, drifting back to 100. A batch that mostly fails takes ten, a batch that
reaches nothing takes fifty (`judging`). At 0 the circuit is open: the account's rows go to another
account or wait, and use up no attempts. Kept in Redis; a lost value counts as 100."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence

from notifier.delivery.infra import redis
from notifier.delivery.infra.ttl_cache import TtlCache

FULL = 100
STEP = 10
#: seconds in which an untouched account gains one step
DRIFT_SECONDS = 30.0


def drifted(weight: int, since: float, now: float) -> int:
    """The weight after drifting back towards FULL since `since`."""
    return min(FULL, weight + STEP * int(max(0.0, now - since) / DRIFT_SECONDS))


#: kept for a second, because a query of Redis costs as much CPU as ten messages
_weights = TtlCache[uuid.UUID, int](seconds=1.0)


def read_weights(account_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, int]:
    """The health of each account, 0..100, at most a second old; 100 while Redis is away."""
    known = {a: weight for a in account_ids if (weight := _weights.get(a)) is not None}
    return known | _read_stored([a for a in account_ids if a not in known])


def _read_stored(account_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, int]:
    if not account_ids:
        return {}
    try:
        stored = redis.client().mget([_key(a) for a in account_ids])
    except redis.Unavailable:
        stored = [None] * len(account_ids)
    weights = {a: _parse(raw) for a, raw in zip(account_ids, stored, strict=True)}
    for account_id, weight in weights.items():
        _weights.keep(account_id, weight)
    return weights


def move(account_id: uuid.UUID, steps: int) -> None:
    """Move an account's health by `steps` (negative: worse). Not atomic: the next batch corrects a lost step."""
    try:
        client = redis.client()
        weight = max(0, min(FULL, _parse(client.get(_key(account_id))) + steps * STEP))
        if weight == FULL:
            client.delete(_key(account_id))
        else:
            client.set(_key(account_id), f"{weight}:{time.time():.0f}", ex=3600)
        _weights.forget(account_id)
    except redis.Unavailable:
        return


def _key(account_id: uuid.UUID) -> str:
    return f"health:{account_id}"


def _parse(raw: bytes | str | None) -> int:
    if not raw:
        return FULL
    weight, _, since = (raw.decode() if isinstance(raw, bytes) else raw).partition(":")
    return drifted(int(weight), float(since), time.time())


def reset() -> None:
    """Forget what this process read."""
    _weights.clear()
