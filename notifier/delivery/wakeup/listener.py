"""Hearing rings without a Celery task for each. Who has just sent something stays and listens: the next message of a
steady stream is then announced by a word in Redis, where a task is a message to Celery's parent process, one from there
to its child, and their acknowledgements.

In Redis are who listens to a queue, each until when, and the ring that nobody has heard yet. All of it may be lost, and
a listener killed: a ring that finds another one unheard is followed by a task, and the sweep rings every second.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable

from notifier.delivery.infra import redis

#: seconds that a listener stays without a ring: at more than two messages a second none needs a task
WAIT_SECONDS = 0.5
#: a listener that was killed counts for so long at most
PRESENCE_SECONDS = 2.0

_NOW = """
local now = redis.call('TIME')
now = now[1] + now[2] / 1e6
"""
# KEYS: listeners, the unheard ring, the queue of tasks. -1: a listener will hear; else how many tasks lie there already
_CALL = f"""{_NOW}
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZCARD', KEYS[1]) > 0 and redis.call('LLEN', KEYS[2]) == 0 then
  redis.call('RPUSH', KEYS[2], 1)
  redis.call('PEXPIRE', KEYS[2], 60000)
  return -1
end
return redis.call('LLEN', KEYS[3])
"""
# ARGV: whose ear. 1: it was rung for
_HEAR = f"""{_NOW}
redis.call('ZADD', KEYS[1], now + {PRESENCE_SECONDS}, ARGV[1])
redis.call('PEXPIRE', KEYS[1], {int(PRESENCE_SECONDS * 1000)})
return redis.call('LPOP', KEYS[2])
"""
# the last to leave takes the ring along that came for it
_LEAVE = """
redis.call('ZREM', KEYS[1], ARGV[1])
if redis.call('ZCARD', KEYS[1]) == 0 then return redis.call('LPOP', KEYS[2]) end
"""


def notify_listener(queue: str) -> int | None:
    """Tell whoever listens to a queue that there is work. None when that is done, else how many tasks lie in the queue.
    Raises redis.Away."""
    lying = int(redis.run_script(_CALL, [*_keys(queue), queue]))
    return None if lying < 0 else lying


class WakeupListener:
    """One listener, of one task. When Redis goes away it is deaf for the rest of its life."""

    def __init__(self, queue: str) -> None:
        self._keys, self.name, self.disconnected = _keys(queue), uuid.uuid4().hex, False

    def notified(self) -> bool:
        """Whether there may be work; at once. For the deaf there may always be."""
        return self._heard(_HEAR) or self.disconnected

    def wait(self) -> bool:
        """Wait a while for a ring; the deaf do not."""
        return self._heard(_HEAR) or self._wait()

    def leave(self) -> bool:
        """Listen no more; True when it was rung for meanwhile."""
        return self._heard(_LEAVE)

    def _heard(self, script: str) -> bool:
        return self._ask(lambda: redis.run_script(script, self._keys, [self.name]))

    def _wait(self) -> bool:
        return self._ask(lambda: redis.client().blpop([self._keys[1]], timeout=WAIT_SECONDS))

    def _ask(self, question: Callable[[], object]) -> bool:
        if self.disconnected:
            return False
        try:
            return bool(question())
        except redis.Unavailable:
            self.disconnected = True
            return False


class NullListener(WakeupListener):
    """Of who looks for work instead, and goes when there is none."""

    def __init__(self) -> None:
        super().__init__("")
        self.disconnected = True


def _keys(queue: str) -> list[str]:
    return [f"listening:{queue}", f"rung:{queue}"]
