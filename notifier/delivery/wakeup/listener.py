"""Wakeups without a Celery task for each. A task that has just sent something stays and listens: the next message of a
steady stream is then announced by one entry in Redis. A Celery task would be a message to Celery's parent process, one
to its child, and their acknowledgements.

Redis keeps the listeners of a queue, each until a time, and the wakeup that no listener has taken yet. All of it may be
lost, and a listener may be killed. So a wakeup becomes a task when no listener has taken the wakeup before it within
BUSY_SECONDS, and the sweep notifies every second.
"""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Callable

from notifier.delivery.infra import redis

#: seconds that a listener waits for a wakeup: above two messages a second no message needs a task
WAIT_SECONDS = 0.5
#: seconds for which a killed listener still counts, at most
PRESENCE_SECONDS = 2.0
#: seconds after which a listener says again that it is there: a query of Redis costs 0.2 ms of CPU, of which a message
#: takes one instead of three
RENEW_SECONDS = 1.0
#: a listener takes a wakeup within so many seconds, unless it was killed or a statement keeps it busy. Until then the
#: wakeup stands for all messages: a task costs several milliseconds
BUSY_SECONDS = 0.25

_NOW = """
local now = redis.call('TIME')
now = now[1] + now[2] / 1e6
"""
# KEYS: listeners, the wakeup, the queue of tasks. -1: a listener will take the wakeup; else how many tasks are queued
_NOTIFY = f"""{_NOW}
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZCARD', KEYS[1]) > 0 then
  local untaken = redis.call('LINDEX', KEYS[2], 0)
  if not untaken then
    redis.call('RPUSH', KEYS[2], string.format('%.6f', now))
    redis.call('PEXPIRE', KEYS[2], 60000)
    return -1
  elseif now - tonumber(untaken) < {BUSY_SECONDS} then
    return -1
  end
end
return redis.call('LLEN', KEYS[3])
"""
# ARGV: the listener. 1: there was a wakeup
_TAKE = f"""{_NOW}
redis.call('ZADD', KEYS[1], now + {PRESENCE_SECONDS}, ARGV[1])
redis.call('PEXPIRE', KEYS[1], {int(PRESENCE_SECONDS * 1000)})
return redis.call('LPOP', KEYS[2])
"""
# the last listener that leaves takes a late wakeup with it
_LEAVE = """
redis.call('ZREM', KEYS[1], ARGV[1])
if redis.call('ZCARD', KEYS[1]) == 0 then return redis.call('LPOP', KEYS[2]) end
"""


def notify_listener(queue: str) -> int | None:
    """Tell a listener of the queue that there is work. None when one will take the wakeup, else how many tasks are in
    the queue. Raises redis.Unavailable."""
    tasks = int(redis.run_script(_NOTIFY, [*_keys(queue), queue]))
    return None if tasks < 0 else tasks


class WakeupListener:
    """One listener, of one task. When Redis fails, the listener is `disconnected` for the rest of its life."""

    def __init__(self, queue: str) -> None:
        self._keys, self.name, self.disconnected = _keys(queue), uuid.uuid4().hex, False
        self._renewed = -math.inf

    def notified(self) -> bool:
        """Whether there may be work; returns at once. Always true when disconnected."""
        return self._take() or self.disconnected

    def wait(self) -> bool:
        """Wait a while for a wakeup; not at all when disconnected."""
        return (time.monotonic() - self._renewed > RENEW_SECONDS and self._take()) or self._block()

    def _take(self) -> bool:
        now = time.monotonic()
        if now - self._renewed < RENEW_SECONDS:
            return self._query(lambda: redis.client().lpop(self._keys[1]))
        self._renewed = now
        return self._run(_TAKE)

    def leave(self) -> bool:
        """Stop listening; true when a wakeup came meanwhile."""
        return self._run(_LEAVE)

    def _run(self, script: str) -> bool:
        return self._query(lambda: redis.run_script(script, self._keys, [self.name]))

    def _block(self) -> bool:
        return self._query(lambda: redis.client().blpop([self._keys[1]], timeout=WAIT_SECONDS))

    def _query(self, query: Callable[[], object]) -> bool:
        """The answer of Redis; False when disconnected."""
        if self.disconnected:
            return False
        try:
            return bool(query())
        except redis.Unavailable:
            self.disconnected = True
            return False


class NullListener(WakeupListener):
    """For a task that looks for work itself, and ends when there is none."""

    def __init__(self) -> None:
        super().__init__("")
        self.disconnected = True


def _keys(queue: str) -> list[str]:
    return [f"listening:{queue}", f"wakeup:{queue}"]
