"""One computation a second for a campaign, for all who watch it: in one process by a lock, over processes by Redis.

Redis keeps the figures for a few seconds, and the right to compute the next ones. Without Redis each process computes
for its own watchers.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from typing import Any

import orjson

from campaigns.live.figures import CanaryFigures, Counts, Failure, LiveFigures
from campaigns.live.reading import Tallies, read
from campaigns.models import Campaign
from notifier.delivery.infra import redis

#: figures are so old at most, when computing them is quick
FRESH_SECONDS = 1.0
#: a computation takes at most so large a part of the time, because senders need the database
_SHARE, _OLDEST = 10, 10.0
#: a process that waits for another one's computation looks so often, so long
_LOOK_SECONDS, _WAIT_SECONDS = 0.05, 0.5
#: campaigns that nobody watched for so long are forgotten
_FORGET_SECONDS = 60.0


@dataclass
class Shared:
    """Figures and the moment (seconds since 1970) until which they are shown."""

    figures: LiveFigures
    at: float
    until: float


@dataclass
class _Entry:
    lock: threading.Lock = field(default_factory=threading.Lock)
    shared: Shared | None = None
    tallies: Tallies = field(default_factory=dict)
    used: float = 0.0


_entries: dict[uuid.UUID, _Entry] = {}
_entries_lock = threading.Lock()
#: computations of this process, for tests and measurements
computed: Counter[uuid.UUID] = Counter()

#: opens the scope in which the campaign may be read; a caller that has one gives a `nullcontext`
Scope = Callable[[], AbstractContextManager[None]]


def current(campaign_id: uuid.UUID, scope: Scope) -> Shared | None:
    """The figures of the campaign, a second old at most where computing them is quick. None when the campaign is gone.
    Callers have checked that they may see it."""
    entry = _entry(campaign_id)
    with entry.lock:
        if entry.shared is None or entry.shared.until <= time.time():
            entry.shared = _from_others(campaign_id) or _compute(campaign_id, entry, scope)
        return entry.shared


def forget() -> None:
    """Compute anew at the next call, as after a change that a page must show at once."""
    with _entries_lock:
        _entries.clear()


def invalidate(campaign_id: uuid.UUID) -> None:
    """The campaign's state changed: every process computes anew within the second."""
    with _entries_lock:
        _entries.pop(campaign_id, None)
    try:
        redis.client().delete(_key(campaign_id))
    except redis.Unavailable:
        return


def _entry(campaign_id: uuid.UUID) -> _Entry:
    now = time.monotonic()
    with _entries_lock:
        for old in [key for key, entry in _entries.items() if entry.used < now - _FORGET_SECONDS]:
            del _entries[old]
        entry = _entries.setdefault(campaign_id, _Entry())
        entry.used = now
        return entry


def _from_others(campaign_id: uuid.UUID) -> Shared | None:
    """The figures of another process that are still fresh. Waits a moment for a process that computes them now. None
    when this process must compute them."""
    try:
        client = redis.client()
        give_up = time.monotonic() + _WAIT_SECONDS
        while time.monotonic() < give_up:
            stored: Any = client.get(_key(campaign_id))
            if stored is not None and (shared := _unpack(stored)).until > time.time():
                return shared
            if client.set(f"{_key(campaign_id)}:computing", 1, nx=True, px=1_000):
                return None
            time.sleep(_LOOK_SECONDS)
    except redis.Unavailable:
        return None
    return None


def _compute(campaign_id: uuid.UUID, entry: _Entry, scope: Scope) -> Shared | None:
    began = time.monotonic()
    with scope():
        campaign = Campaign.objects.filter(pk=campaign_id).first()
        if campaign is None:
            return None
        live = read(campaign, entry.tallies)
    computed[campaign_id] += 1
    seconds = min(_OLDEST, max(FRESH_SECONDS, _SHARE * (time.monotonic() - began)))
    now = time.time()
    shared = Shared(live, now, now + seconds)
    try:
        pipeline = redis.client().pipeline()
        pipeline.set(_key(campaign_id), _pack(shared), px=int(seconds * 1000) + 5_000)
        pipeline.delete(f"{_key(campaign_id)}:computing")
        pipeline.execute()
    except redis.Unavailable:
        return shared
    return shared


def _key(campaign_id: uuid.UUID) -> str:
    return f"watch:{campaign_id.hex}"


def _pack(shared: Shared) -> bytes:
    return orjson.dumps(asdict(shared))


def _unpack(stored: bytes) -> Shared:
    raw: Mapping[str, Any] = orjson.loads(stored)
    live: dict[str, Any] = raw["figures"]
    canary = live["canary"]
    live |= {
        "counts": Counts(**live["counts"]),
        "channels": {name: Counts(**counts) for name, counts in live["channels"].items()},
        "failures": [Failure(**failure) for failure in live["failures"]],
        "points": [tuple(point) for point in live["points"]],
        "canary": CanaryFigures(canary["state"], Counts(**canary["counts"])) if canary else None,
    }
    return Shared(LiveFigures(**live), raw["at"], raw["until"])
