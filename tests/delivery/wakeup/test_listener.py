"""Who listens is told of work without a task; nobody's death or haste leaves a ring unheard."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator

import pytest

from notifier import tasks
from notifier.delivery.infra import redis
from notifier.delivery.wakeup.listener import WAIT_SECONDS, NullListener, WakeupListener


@pytest.fixture
def queue() -> Iterator[str]:
    name = f"ear-{uuid.uuid4().hex}"
    yield name
    redis.client().delete(name, f"listening:{name}", f"rung:{name}")


def tasks_on(queue: str) -> int:
    return int(redis.client().llen(queue))


def test_a_listener_hears_and_no_task_is_made(queue: str) -> None:
    ear = WakeupListener(queue)
    assert not ear.notified()
    tasks.notify_queue(queue)
    assert tasks_on(queue) == 0
    assert ear.notified()
    assert not ear.notified()


def test_without_a_listener_a_ring_is_a_task_and_two_lie_there_at_most(queue: str) -> None:
    for _ in range(5):
        tasks.notify_queue(queue)
    assert tasks_on(queue) == 2


def test_a_ring_that_finds_another_unheard_is_a_task(queue: str) -> None:
    ear = WakeupListener(queue)
    ear.notified()
    tasks.notify_queue(queue)
    tasks.notify_queue(queue)
    assert tasks_on(queue) == 1
    assert ear.notified()


def test_a_listener_that_was_killed_does_not_count(queue: str) -> None:
    ear = WakeupListener(queue)
    ear.notified()
    redis.run_script("return redis.call('ZADD', KEYS[1], 'XX', 1, ARGV[1])", [f"listening:{queue}"], [ear.name])
    tasks.notify_queue(queue)
    assert tasks_on(queue) == 1


def test_one_of_several_hears_a_ring(queue: str) -> None:
    ears = [WakeupListener(queue) for _ in range(3)]
    for ear in ears:
        ear.notified()
    tasks.notify_queue(queue)
    assert [ear.notified() for ear in ears] == [True, False, False]


def test_the_last_to_leave_takes_a_late_ring_along_and_the_others_leave_it(queue: str) -> None:
    first, last = WakeupListener(queue), WakeupListener(queue)
    first.notified(), last.notified()
    tasks.notify_queue(queue)
    assert (first.leave(), last.leave()) == (False, True)
    tasks.notify_queue(queue)
    assert tasks_on(queue) == 1


def test_who_lingers_is_woken(queue: str) -> None:
    ear = WakeupListener(queue)
    ear.notified()
    ringer = threading.Timer(WAIT_SECONDS / 5, tasks.notify_queue, [queue])
    ringer.start()
    assert ear.wait()
    ringer.join()


def test_without_redis_a_listener_looks_for_itself_and_does_not_stay(
    queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ear = WakeupListener(queue)

    def away(*args: object) -> None:
        raise redis.Unavailable

    monkeypatch.setattr(redis, "run_script", away)
    assert ear.notified() and ear.disconnected
    assert not ear.wait()
    assert not ear.leave()


def test_the_deaf_look_always_and_never_stay() -> None:
    began = time.monotonic()
    assert NullListener().notified() and not NullListener().wait() and not NullListener().leave()
    assert time.monotonic() - began < WAIT_SECONDS
