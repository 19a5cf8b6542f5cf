"""The thread that leases tokens for the buckets of this process.

Redis holds what is left of each limit. A lease takes a block out of it, so the processes together never spend more than
the limit, and a request waits for a lease only when its bucket is empty. Tokens that nobody spent for a second go back.

While Redis is away, each process gives its share of the limit: one part for each process that Redis knew, half when it
never answered. A request whose lease is late gets a token of this share, too; the next request asks Redis again.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future

import structlog

from notifier.delivery.infra import redis
from notifier.rates.bucket import Bucket
from notifier.vocabulary.rates import WINDOW

log = structlog.get_logger("notifier.rates")

#: seconds between two ticks: idle tokens go back, and an absent Redis is asked again
TICK = 1.0
#: seconds that a request waits for an answer of Redis when its bucket is empty
PATIENCE = 0.2
#: the share of a process that does not know how many there are
UNKNOWN_SHARE = 0.5
#: seconds after which a silent process counts no more
_PROCESS_SECONDS = 30
_PROCESSES = "rates:processes"

# KEYS: the processes, then buckets. ARGV: this process, then rate, quota and wanted tokens of each bucket; fewer than 0
# are given back. A bucket that Redis does not know is full.
_LEASE = f"""
local now = redis.call('TIME')
now = now[1] + now[2] / 1e6
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - {_PROCESS_SECONDS})
redis.call('PEXPIRE', KEYS[1], {_PROCESS_SECONDS * 1000})
local answer = {{redis.call('ZCARD', KEYS[1])}}
for i = 2, #KEYS do
  local rate, quota, wanted = tonumber(ARGV[3 * i - 4]), tonumber(ARGV[3 * i - 3]), tonumber(ARGV[3 * i - 2])
  local b = redis.call('HMGET', KEYS[i], 'tokens', 'at')
  local tokens = math.min(quota, (tonumber(b[1]) or quota) + math.max(0, now - (tonumber(b[2]) or now)) * rate)
  local granted = wanted
  if wanted > 0 then granted = math.max(0, math.min(wanted, tokens)) end
  tokens = math.min(quota, tokens - granted)
  redis.call('HSET', KEYS[i], 'tokens', string.format('%.6f', tokens), 'at', string.format('%.6f', now))
  redis.call('PEXPIRE', KEYS[i], {WINDOW * 2000})
  answer[#answer + 1] = tostring(granted)
  answer[#answer + 1] = tostring(tokens)
end
return answer
"""


class Leasing:
    """One for each process. The thread starts with the first lease, because a process that forks would lose it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        #: bucket -> tokens for which requests wait
        self._wanted: dict[Bucket, float] = {}
        #: resolved after the lease that is being waited for
        self._next: Future[bool] = Future()
        self._held: dict[str, Bucket] = {}
        self._thread: threading.Thread | None = None
        self._processes = 0
        self._retry_at = 0.0
        self._began = 0.0  #: of the lease under way
        #: Redis did not answer the last time
        self.away = False
        self.patience = PATIENCE

    def ask(self, buckets: Iterable[Bucket], awaited: float = 0.0) -> Future[bool]:
        """Lease tokens for the buckets soon: a block, and those for which the caller waits. The future ends with
        whether Redis answered."""
        with self._changed:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="rates", daemon=True)
                self._thread.start()
            for bucket in buckets:
                bucket.wanted = True
                self._wanted[bucket] = self._wanted.get(bucket, 0.0) + awaited
            self._changed.notify()
            return self._next

    @property
    def is_silent(self) -> bool:
        """Redis is away, or the lease under way is late: no request waits for it."""
        began = self._began
        return self.away or (began > 0.0 and time.monotonic() - began > self.patience)

    def fill(self, buckets: Iterable[Bucket]) -> None:
        """Give the empty buckets this process's share, because no lease came."""
        now = time.monotonic()
        for bucket in buckets:
            if bucket.needs_lease(now):
                bucket.fill_locally(self.share, now)

    @property
    def share(self) -> float:
        return 1 / self._processes if self._processes else UNKNOWN_SHARE

    # -- in the thread --

    def _run(self) -> None:
        last_tick = time.monotonic()
        while True:
            with self._changed:
                if not self._wanted:
                    self._changed.wait(TICK)
                wanted, self._wanted = self._wanted, {}
                done, self._next = self._next, Future()
                for bucket in wanted:
                    bucket.wanted = False
            has_answer = False
            try:
                now = time.monotonic()
                is_tick = now - last_tick >= TICK
                if is_tick:
                    last_tick = now
                if wanted or (is_tick and self._held):
                    self._began = now
                    has_answer = self._lease(wanted, self._idle() if is_tick else [])
            except Exception as error:
                # the thread must live: every later lease needs it
                self.away = True
                log.exception("lease failed", action="rates", error=type(error).__name__)
            finally:
                self._began = 0.0
                done.set_result(has_answer)

    def _idle(self) -> list[Bucket]:
        """The buckets whose tokens nobody spent since the last tick; they are not held any more."""
        idle = [bucket for bucket in self._held.values() if not bucket.used]
        for bucket in self._held.values():
            bucket.used = False
        for bucket in idle:
            del self._held[bucket.key]
        return idle

    def _lease(self, wanted: Mapping[Bucket, float], idle: Sequence[Bucket]) -> bool:
        """Lease the wanted tokens, and give back those of idle buckets. Returns whether Redis answered."""
        if self.away and time.monotonic() < self._retry_at:
            return False
        amounts = {id(bucket): -bucket.tokens for bucket in idle if bucket.tokens > 0}
        amounts |= {id(bucket): bucket.want(awaited) for bucket, awaited in wanted.items()}
        buckets = [bucket for bucket in {id(b): b for b in (*idle, *wanted)}.values() if id(bucket) in amounts]
        arguments: list[str | float] = [_process()]
        for bucket in buckets:
            amount = amounts[id(bucket)]
            if amount < 0:
                bucket.tokens += amount
            arguments += [bucket.rate, bucket.quota, amount]
        try:
            processes, *answer = redis.run_script(_LEASE, [_PROCESSES, *(b.key for b in buckets)], arguments)
        except redis.Unavailable as error:
            if not self.away:
                log.warning("limits are local", action="rates", error=type(error).__name__, share=self.share)
            self.away, self._retry_at = True, time.monotonic() + TICK
            return False
        self.away, self._processes = False, int(processes)
        now = time.monotonic()
        for n, bucket in enumerate(buckets):
            granted, left = float(answer[2 * n]), float(answer[2 * n + 1])
            bucket.leased(max(0.0, granted), left, now)
            if granted > 0:
                self._held[bucket.key] = bucket
        return True


def _process() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


leasing = Leasing()
