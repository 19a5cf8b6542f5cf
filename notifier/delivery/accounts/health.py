"""The health of provider accounts: 100 when well, ten less for each bad batch, drifting back. At 0 the circuit is open
and the account's rows wait instead of burning attempts. Kept in Redis; lost means neutral."""

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


#: believed for a second, because a question costs as much CPU as ten messages
_weights = TtlCache[uuid.UUID, int](seconds=1.0)


def read_weights(account_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, int]:
    """Health of each account a second ago at most, 0..100; everybody is well while Redis is away."""
    known = {a: weight for a in account_ids if (weight := _weights.get(a)) is not None}
    return known | _look([a for a in account_ids if a not in known])


def _look(account_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, int]:
    if not account_ids:
        return {}
    try:
        stored = redis.client().mget([_key(a) for a in account_ids])
    except redis.Unavailable:
        stored = [None] * len(account_ids)
    found = {a: _read(raw) for a, raw in zip(account_ids, stored, strict=True)}
    for account_id, weight in found.items():
        _weights.keep(account_id, weight)
    return found


def move(account_id: uuid.UUID, steps: int) -> None:
    """Move an account's health by `steps` (negative: worse). Not atomic: a lost step is corrected by the next batch."""
    try:
        client = redis.client()
        weight = max(0, min(FULL, _read(client.get(_key(account_id))) + steps * STEP))
        if weight == FULL:
            client.delete(_key(account_id))
        else:
            client.set(_key(account_id), f"{weight}:{time.time():.0f}", ex=3600)
        _weights.forget(account_id)
    except redis.Unavailable:
        return


def _key(account_id: uuid.UUID) -> str:
    return f"health:{account_id}"


def _read(raw: bytes | str | None) -> int:
    if not raw:
        return FULL
    weight, _, since = (raw.decode() if isinstance(raw, bytes) else raw).partition(":")
    return drifted(int(weight), float(since), time.time())
