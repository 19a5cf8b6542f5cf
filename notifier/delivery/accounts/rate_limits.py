"""Token buckets in Redis, shared by all workers: one for each provider account, one for each campaign with a speed
limit. A caller requests n tokens. It gets as many as the bucket holds, and the time until the bucket has the others.

An account adapts to its provider: 429s empty its bucket, stop the account for as long as the provider says, and make it
slower for a while. A bucket that was lost starts empty; while Redis is away each process keeps its own buckets.
"""

from __future__ import annotations

import math
import threading
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field

from notifier.delivery.infra import redis
from notifier.delivery.infra.ttl_cache import TtlCache

#: what a bucket holds at most, in seconds of its rate (and one message at least). A campaign's "100 a second" holds for
#: every second, the first one too; an account's limit is a quota a minute, so a second's worth at once is no harm
BURST_SECONDS = 1.0
CAMPAIGN_BURST_SECONDS = 0.1
#: after 429s: the rate falls to SLOWER of itself, never below SLOWEST of the configured rate, and recovers by RECOVERY
#: of the configured rate a second
SLOWER, SLOWEST, RECOVERY = 0.7, 0.05, 0.05
#: so many 429s within a second concern the account; a single 429 may concern its device (FCM limits both)
REFUSALS = 3
#: so many 429s stop the account for SHORTEST seconds at least and LONGEST at most, whatever Retry-After says
SHORTEST, LONGEST = 1.0, 600.0

# ARGV: tokens wanted; then rate a second (0: none) and burst of each bucket. `until`: the account is stopped till then,
# and tokens count from then on; `share`: the share of the rate that was left at that time. Time is that of Redis, so
# that workers' clocks do not matter. No bucket loses a token that another bucket does not grant.
_TAKE = f"""
local now = redis.call('TIME')
now = now[1] + now[2] / 1e6
local wanted = tonumber(ARGV[1])
local granted, wait, found = wanted, 0, {{}}
for i, key in ipairs(KEYS) do
  local rate, burst = tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1])
  local b = redis.call('HMGET', key, 'tokens', 'at', 'until', 'share')
  local stopped = tonumber(b[3]) or 0
  if stopped > now then
    granted, wait = 0, math.max(wait, stopped - now)
  elseif rate > 0 then
    local share = math.min(1, (tonumber(b[4]) or 1) + (now - stopped) * {RECOVERY})
    local at = math.max(tonumber(b[2]) or now, stopped)
    local tokens = math.min(burst, (tonumber(b[1]) or 0) + math.max(0, now - at) * rate * share)
    found[i] = {{tokens, rate, share, burst}}
    granted = math.max(0, math.min(granted, math.floor(tokens)))
  end
end
for i, b in pairs(found) do
  local left = b[1] - granted
  redis.call('HSET', KEYS[i], 'tokens', string.format('%.6f', left), 'at', string.format('%.6f', now))
  redis.call('PEXPIRE', KEYS[i], math.ceil(math.max(60, 2 * b[4] / b[2]) * 1000))
  if granted < wanted then
    wait = math.max(wait, (math.min(wanted - granted, math.max(1, b[4] / 2)) - left) / (b[2] * b[3]))
  end
end
if granted < wanted then wait = math.max(0.001, wait) end
return {{granted, tostring(wait)}}
"""

# ARGV: seconds, refusals. A provider refuses everything in flight at once, so refusals during a stop count as the same
# refusal: the stop may become longer, and the rate falls once.
_THROTTLED = f"""
local now = redis.call('TIME')
now = now[1] + now[2] / 1e6
local b = redis.call('HMGET', KEYS[1], 'until', 'share', 'refused', 'since')
local stopped, share = tonumber(b[1]) or 0, tonumber(b[2]) or 1
local refused, since = tonumber(b[3]) or 0, tonumber(b[4]) or 0
if now - since > 1 then refused, since = 0, now end
refused = refused + tonumber(ARGV[2])
redis.call('HSET', KEYS[1], 'refused', refused, 'since', string.format('%.6f', since))
if refused < {REFUSALS} and stopped < now then
  if redis.call('PTTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], 60000) end
  return
end
if stopped < now then
  share = math.max({SLOWEST}, math.min(1, share + (now - stopped) * {RECOVERY}) * {SLOWER})
end
stopped = math.max(stopped, now + tonumber(ARGV[1]))
redis.call('HSET', KEYS[1], 'tokens', '0', 'at', string.format('%.6f', stopped),
           'until', string.format('%.6f', stopped), 'share', tostring(share))
redis.call('PEXPIRE', KEYS[1], math.ceil((stopped - now + 60) * 1000))
"""


@dataclass(frozen=True)
class Grant:
    """`granted` messages may leave now; the others in `wait` seconds."""

    granted: int
    wait: float


@dataclass(frozen=True)
class Limit:
    """One bucket and its rate a second; None: only 429s limit it."""

    key: str
    rate: float | None
    burst_seconds: float = BURST_SECONDS

    @property
    def burst(self) -> float:
        return max(1.0, (self.rate or 0.0) * self.burst_seconds)


def account_limit(account_id: uuid.UUID, rate: float | None) -> Limit:
    return Limit(f"bucket:{account_id}", rate)


def campaign_limit(campaign_id: uuid.UUID, rate: float | None) -> Limit:
    return Limit(f"bucket:campaign:{campaign_id}", rate, CAMPAIGN_BURST_SECONDS)


#: an account without a rate is looked up only so often: only 429s stop it, and a query of Redis costs 0.3 ms
_free = TtlCache[uuid.UUID, bool](seconds=0.1)


def take_for_account(account_id: uuid.UUID, rate: float | None, requested: int, *campaign: Limit) -> Grant:
    """Up to `requested` messages of an account that may leave now, by the limits of their campaign, too."""
    alone = rate is None and not campaign
    if alone and _free.get(account_id):
        return Grant(requested, 0.0)
    grant = take_tokens(requested, account_limit(account_id, rate), *campaign)
    if alone and grant.granted == requested:
        _free.keep(account_id, True)
    return grant


def take_tokens(requested: int, *limits: Limit) -> Grant:
    """Up to `requested` messages that each of these limits lets leave now; one query of Redis for all of them."""
    arguments: list[float] = [requested]
    for limit in limits:
        arguments += [limit.rate or 0.0, limit.burst]
    try:
        granted, wait = redis.run_script(_TAKE, [limit.key for limit in limits], arguments)
        return Grant(int(granted), float(wait))
    except redis.Unavailable:
        return _take_locally(requested, limits)


def record_throttling(
    account_id: uuid.UUID, after: float | None, times: int = 1, *, shortest: float = SHORTEST
) -> None:
    """The provider refused `times` messages of this account as too many, for `after` seconds (None: it gives no time).
    The account stops for `shortest` seconds at least."""
    seconds = min(LONGEST, max(shortest, after or 0.0))
    _free.forget(account_id)
    try:
        redis.run_script(_THROTTLED, [account_limit(account_id, None).key], [seconds, times])
    except redis.Unavailable:
        with _lock:
            _local.setdefault(account_limit(account_id, None).key, _Bucket()).refuse(seconds, times, time.monotonic())


# ---- while Redis is away -----------------------------------------------------------------------------------------


@dataclass
class _Bucket:
    """The arithmetic of the scripts, for one process."""

    tokens: float = 0.0
    at: float = field(default_factory=time.monotonic)
    until: float = -math.inf
    share: float = 1.0
    refused: int = 0
    since: float = -math.inf

    def fill(self, limit: Limit, now: float) -> int:
        """Adds the tokens since the last call; returns how many there are."""
        if self.until > now:
            return 0
        if limit.rate is None:
            return 1 << 30
        at = max(self.at, self.until)
        self.tokens = min(limit.burst, self.tokens + max(0.0, now - at) * limit.rate * self.share_at(now))
        self.at = now
        return max(0, int(self.tokens))

    def share_at(self, now: float) -> float:
        return min(1.0, self.share + (now - self.until) * RECOVERY)

    def wait(self, missing: int, limit: Limit, now: float) -> float:
        if self.until > now:
            return self.until - now
        if limit.rate is None:
            return 0.0
        return (min(missing, max(1.0, limit.burst / 2)) - self.tokens) / (limit.rate * self.share_at(now))

    def refuse(self, seconds: float, times: int, now: float) -> None:
        if now - self.since > 1:
            self.refused, self.since = 0, now
        self.refused += times
        if self.refused < REFUSALS and self.until < now:
            return
        if self.until < now:
            self.share = max(SLOWEST, self.share_at(now) * SLOWER)
        self.until = max(self.until, now + seconds)
        self.tokens = 0.0


_local: dict[str, _Bucket] = {}
_lock = threading.Lock()


def _take_locally(requested: int, limits: Sequence[Limit]) -> Grant:
    now = time.monotonic()
    with _lock:
        buckets = [(_local.setdefault(limit.key, _Bucket()), limit) for limit in limits]
        granted = min([requested, *(bucket.fill(limit, now) for bucket, limit in buckets)])
        for bucket, limit in buckets:
            bucket.tokens -= granted if limit.rate is not None else 0
    if granted == requested:
        return Grant(granted, 0.0)
    return Grant(granted, max(0.001, *(bucket.wait(requested - granted, limit, now) for bucket, limit in buckets)))


def reset() -> None:
    """Forget the buckets of this process; those in Redis stay."""
    _free.clear()
    with _lock:
        _local.clear()
