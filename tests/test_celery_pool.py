"""The pool of threads in a worker: the consumer hears at once that a task has ended."""

from __future__ import annotations

import select
from collections.abc import Callable
from typing import Any

from notifier.celery_pool import ThreadPool


class Loop:
    """The consumer's loop, as far as a pool uses it."""

    source: Any = None
    read: Callable[[], None]

    def add_reader(self, source: Any, read: Callable[[], None]) -> None:
        self.source, self.read = source, read

    def wakes(self, seconds: float) -> bool:
        return bool(select.select([self.source], [], [], seconds)[0])


def test_the_end_of_a_task_wakes_the_consumer_once() -> None:
    pool, loop = ThreadPool(1), Loop()
    acknowledged: list[int] = []
    pool.register_with_event_loop(loop)  # type: ignore[arg-type]
    assert not loop.wakes(0)
    pool.apply_async(lambda: 7, callback=acknowledged.append).get()
    assert loop.wakes(30)
    loop.read()
    assert not loop.wakes(0)
    assert acknowledged == [7]
    pool.stop()


def test_a_call_whose_result_nothing_needs_runs_too() -> None:
    pool = ThreadPool(1)
    ran: list[str] = []
    pool.apply_async(ran.append, ("warm",)).get()
    assert ran == ["warm"]
    pool.stop()
