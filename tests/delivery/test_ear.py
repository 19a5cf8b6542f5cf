"""Who listens is told of work without a task; nobody's death or haste leaves a ring unheard."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator

import pytest

from notifier import tasks
from notifier.delivery import redis
from notifier.delivery.ear import LINGER, Deaf, Ear


@pytest.fixture
def queue() -> Iterator[str]:
    name = f"ear-{uuid.uuid4().hex}"
    yield name
    redis.client().delete(name, f"listening:{name}", f"rung:{name}")


def tasks_on(queue: str) -> int:
    return int(redis.client().llen(queue))


def test_a_listener_hears_and_no_task_is_made(queue: str) -> None:
    ear = Ear(queue)
    assert not ear.rung()
    tasks.ring(queue)
    assert tasks_on(queue) == 0
    assert ear.rung()
    assert not ear.rung()


def test_without_a_listener_a_ring_is_a_task_and_two_lie_there_at_most(queue: str) -> None:
    for _ in range(5):
        tasks.ring(queue)
    assert tasks_on(queue) == 2


def test_a_ring_that_finds_another_unheard_is_a_task(queue: str) -> None:
    ear = Ear(queue)
    ear.rung()
    tasks.ring(queue)
    tasks.ring(queue)
    assert tasks_on(queue) == 1
    assert ear.rung()


def test_a_listener_that_was_killed_does_not_count(queue: str) -> None:
    ear = Ear(queue)
    ear.rung()
    redis.run("return redis.call('ZADD', KEYS[1], 'XX', 1, ARGV[1])", [f"listening:{queue}"], [ear.name])
    tasks.ring(queue)
    assert tasks_on(queue) == 1


def test_one_of_several_hears_a_ring(queue: str) -> None:
    ears = [Ear(queue) for _ in range(3)]
    for ear in ears:
        ear.rung()
    tasks.ring(queue)
    assert [ear.rung() for ear in ears] == [True, False, False]


def test_the_last_to_leave_takes_a_late_ring_along_and_the_others_leave_it(queue: str) -> None:
    first, last = Ear(queue), Ear(queue)
    first.rung(), last.rung()
    tasks.ring(queue)
    assert (first.leave(), last.leave()) == (False, True)
    tasks.ring(queue)
    assert tasks_on(queue) == 1


def test_who_lingers_is_woken(queue: str) -> None:
    ear = Ear(queue)
    ear.rung()
    ringer = threading.Timer(LINGER / 5, tasks.ring, [queue])
    ringer.start()
    assert ear.linger()
    ringer.join()


def test_without_redis_a_listener_looks_for_itself_and_does_not_stay(
    queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ear = Ear(queue)

    def away(*args: object) -> None:
        raise redis.Away

    monkeypatch.setattr(redis, "run", away)
    assert ear.rung() and ear.deaf
    assert not ear.linger()
    assert not ear.leave()


def test_the_deaf_look_always_and_never_stay() -> None:
    began = time.monotonic()
    assert Deaf().rung() and not Deaf().linger() and not Deaf().leave()
    assert time.monotonic() - began < LINGER
