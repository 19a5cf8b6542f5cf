"""A listener gets wakeups without a task; a listener that is killed or ends leaves no wakeup behind."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator

import pytest

from notifier import tasks
from notifier.delivery.infra import redis
from notifier.delivery.wakeup.listener import WAIT_SECONDS, NullListener, WakeupListener
from tests.broker import redis_away

__all__ = ["redis_away"]


@pytest.fixture
def queue() -> Iterator[str]:
    name = f"listener-{uuid.uuid4().hex}"
    yield name
    redis.client().delete(name, f"listening:{name}", f"wakeup:{name}")


#: makes the wakeup that no listener has taken so many seconds older
AGE_WAKEUP = "return redis.call('LSET', KEYS[1], 0, redis.call('LINDEX', KEYS[1], 0) - ARGV[1])"


def tasks_on(queue: str) -> int:
    return int(redis.client().llen(queue))


def test_a_listener_takes_a_wakeup_and_no_task_is_made(queue: str) -> None:
    listener = WakeupListener(queue)
    assert not listener.notified()
    tasks.notify_queue(queue)
    assert tasks_on(queue) == 0
    assert listener.notified()
    assert not listener.notified()


def test_without_a_listener_a_wakeup_is_a_task_and_two_are_queued_at_most(queue: str) -> None:
    for _ in range(5):
        tasks.notify_queue(queue)
    assert tasks_on(queue) == 2


def test_a_wakeup_stands_for_the_messages_right_after_it(queue: str) -> None:
    listener = WakeupListener(queue)
    listener.notified()
    tasks.notify_queue(queue)
    redis.run_script(AGE_WAKEUP, [f"wakeup:{queue}"], [-60])  # as if it were from the future: the test may take long
    tasks.notify_queue(queue)
    assert tasks_on(queue) == 0
    assert listener.notified()
    assert not listener.notified()


def test_a_wakeup_that_finds_an_older_one_is_a_task(queue: str) -> None:
    listener = WakeupListener(queue)
    listener.notified()
    tasks.notify_queue(queue)
    redis.run_script(AGE_WAKEUP, [f"wakeup:{queue}"], [1])
    tasks.notify_queue(queue)
    assert tasks_on(queue) == 1
    assert listener.notified()


def test_a_listener_that_was_killed_does_not_count(queue: str) -> None:
    listener = WakeupListener(queue)
    listener.notified()
    redis.run_script("return redis.call('ZADD', KEYS[1], 'XX', 1, ARGV[1])", [f"listening:{queue}"], [listener.name])
    tasks.notify_queue(queue)
    assert tasks_on(queue) == 1


def test_one_of_several_listeners_takes_a_wakeup(queue: str) -> None:
    listeners = [WakeupListener(queue) for _ in range(3)]
    for listener in listeners:
        listener.notified()
    tasks.notify_queue(queue)
    assert [listener.notified() for listener in listeners] == [True, False, False]


def test_only_the_last_listener_that_leaves_takes_a_late_wakeup_with_it(queue: str) -> None:
    first, last = WakeupListener(queue), WakeupListener(queue)
    first.notified(), last.notified()
    tasks.notify_queue(queue)
    assert (first.leave(), last.leave()) == (False, True)
    tasks.notify_queue(queue)
    assert tasks_on(queue) == 1


def test_a_waiting_listener_is_woken(queue: str) -> None:
    listener = WakeupListener(queue)
    listener.notified()
    notifier = threading.Timer(WAIT_SECONDS / 5, tasks.notify_queue, [queue])
    notifier.start()
    assert listener.wait()
    notifier.join()


def test_without_redis_a_listener_always_says_yes_and_does_not_stay(queue: str, redis_away: Callable[[], None]) -> None:
    listener = WakeupListener(queue)
    redis_away()
    assert listener.notified() and listener.disconnected
    assert not listener.wait()
    assert not listener.leave()


def test_the_null_listener_always_says_yes_and_never_stays() -> None:
    began = time.monotonic()
    assert NullListener().notified() and not NullListener().wait() and not NullListener().leave()
    assert time.monotonic() - began < WAIT_SECONDS
