"""The health of provider accounts: 100 when well, ten less for each bad batch, drifting back. At 0 the circuit is open
and the account's rows wait instead of burning attempts. Kept in Redis; lost means neutral."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence

from notifier.delivery import redis

FULL = 100
#: seconds for which a process believes what it read: a question costs as much CPU as ten messages
BELIEVED = 1.0
STEP = 10
#: seconds in which an untouched account gains one step
DRIFT_SECONDS = 30.0


def drifted(weight: int, since: float, now: float) -> int:
    """The weight after drifting back towards FULL since `since`."""
    return min(FULL, weight + STEP * int(max(0.0, now - since) / DRIFT_SECONDS))


_KEPT = 1_000
_read_at: dict[uuid.UUID, tuple[float, int]] = {}


def weights(account_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, int]:
    """Health of each account a second ago at most, 0..100; everybody is well while Redis is away."""
    since = time.monotonic() - BELIEVED
    known = {a: seen[1] for a in account_ids if (seen := _read_at.get(a)) and seen[0] > since}
    return known | _look([a for a in account_ids if a not in known])


def _look(account_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, int]:
    if not account_ids:
        return {}
    try:
        stored = redis.client().mget([_key(a) for a in account_ids])
    except redis.Away:
        stored = [None] * len(account_ids)
    if len(_read_at) > _KEPT:
        _read_at.clear()
    found = {a: _read(raw) for a, raw in zip(account_ids, stored, strict=True)}
    _read_at.update((a, (time.monotonic(), weight)) for a, weight in found.items())
    return found


def moved(account_id: uuid.UUID, steps: int) -> None:
    """Move an account's health by `steps` (negative: worse). Not atomic: a lost step is corrected by the next batch."""
    try:
        client = redis.client()
        weight = max(0, min(FULL, _read(client.get(_key(account_id))) + steps * STEP))
        if weight == FULL:
            client.delete(_key(account_id))
        else:
            client.set(_key(account_id), f"{weight}:{time.time():.0f}", ex=3600)
        _read_at.pop(account_id, None)
    except redis.Away:
        return


def _key(account_id: uuid.UUID) -> str:
    return f"health:{account_id}"


def _read(raw: bytes | str | None) -> int:
    if not raw:
        return FULL
    weight, _, since = (raw.decode() if isinstance(raw, bytes) else raw).partition(":")
    return drifted(int(weight), float(since), time.time())
