"""Wakeups without a Celery task for each. A task that has just sent something stays and listens: the next message of a
steady stream is then announced by one entry in Redis. A Celery task would be a message to Celery's parent process, one
to its child, and their acknowledgements.

Redis keeps the listeners of a queue, each until a time, and the wakeup that no listener has taken yet. All of it may be
lost, and a listener may be killed. So a wakeup becomes a task when no listener has taken the wakeup before it, and the
sweep notifies every second.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable

from notifier.delivery.infra import redis

#: seconds that a listener waits for a wakeup: above two messages a second no message needs a task
WAIT_SECONDS = 0.5
#: seconds for which a killed listener still counts, at most
PRESENCE_SECONDS = 2.0

_NOW = """
local now = redis.call('TIME')
now = now[1] + now[2] / 1e6
"""
# KEYS: listeners, the wakeup, the queue of tasks. -1: a listener will take the wakeup; else how many tasks are queued
_NOTIFY = f"""{_NOW}
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZCARD', KEYS[1]) > 0 and redis.call('LLEN', KEYS[2]) == 0 then
  redis.call('RPUSH', KEYS[2], 1)
  redis.call('PEXPIRE', KEYS[2], 60000)
  return -1
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

    def notified(self) -> bool:
        """Whether there may be work; returns at once. Always true when disconnected."""
        return self._run(_TAKE) or self.disconnected

    def wait(self) -> bool:
        """Wait a while for a wakeup; not at all when disconnected."""
        return self._run(_TAKE) or self._block()

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
