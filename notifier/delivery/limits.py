"""One token bucket per provider account, shared by all workers, in Redis: takes n, grants what there is, says how long
to wait for the rest. A bucket that was lost starts empty; while Redis is away each process keeps its own."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field

from notifier.delivery import redis

# KEYS[1] bucket; ARGV rate a second, burst, wanted. Time is the server's, so that workers' clocks do not matter.
_TAKE = """
local now = redis.call('TIME')
now = now[1] + now[2] / 1e6
local rate, burst, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local bucket = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens = tonumber(bucket[1]) or 0
tokens = math.min(burst, tokens + (now - (tonumber(bucket[2]) or now)) * rate)
local granted = math.max(0, math.min(wanted, math.floor(tokens)))
redis.call('HSET', KEYS[1], 'tokens', tostring(tokens - granted), 'at', string.format('%.6f', now))
redis.call('PEXPIRE', KEYS[1], 60000)
local missing = math.min(wanted - granted, burst) - (tokens - granted)
return {granted, tostring(granted < wanted and math.max(0.001, missing / rate) or 0)}
"""


@dataclass(frozen=True)
class Grant:
    """`granted` messages may leave now; the rest of what was wanted in `wait` seconds."""

    granted: int
    wait: float


@dataclass
class _Local:
    tokens: float = 0.0
    at: float = field(default_factory=time.monotonic)


_local: dict[uuid.UUID, _Local] = {}


def take(account_id: uuid.UUID, rate: float | None, wanted: int) -> Grant:
    """Up to `wanted` tokens of the account's bucket, which holds one second's worth (at least one)."""
    if rate is None:
        return Grant(wanted, 0.0)
    burst = max(1.0, rate)
    try:
        script = redis.client().register_script(_TAKE)
        granted, wait = script(keys=[f"bucket:{account_id}"], args=[rate, burst, wanted])
        return Grant(int(granted), float(wait))
    except redis.Away:
        return _take_locally(account_id, rate, burst, wanted)


def _take_locally(account_id: uuid.UUID, rate: float, burst: float, wanted: int) -> Grant:
    bucket = _local.setdefault(account_id, _Local())
    now = time.monotonic()
    bucket.tokens = min(burst, bucket.tokens + (now - bucket.at) * rate)
    bucket.at = now
    granted = max(0, min(wanted, int(bucket.tokens)))
    bucket.tokens -= granted
    missing = min(wanted - granted, burst) - bucket.tokens
    return Grant(granted, max(0.001, missing / rate) if granted < wanted else 0.0)
