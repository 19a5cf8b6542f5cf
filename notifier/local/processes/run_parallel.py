"""Runs a few slow starts or stops in parallel."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import TypeVar

T = TypeVar("T")


def run_parallel(calls: Sequence[Callable[[], T]]) -> list[T]:
    """The results, in the order of the calls. The first error is raised at once, without waiting for the other calls: a
    caller that catches the error stops what these calls were starting. The threads are daemons, because an executor
    would join its threads at exit."""
    outcomes: SimpleQueue[tuple[int, T | BaseException]] = SimpleQueue()

    def run(index: int, call: Callable[[], T]) -> None:
        try:
            outcomes.put((index, call()))
        except BaseException as error:
            outcomes.put((index, error))

    for index, call in enumerate(calls):
        threading.Thread(target=run, args=(index, call), daemon=True).start()
    return _collect(outcomes, len(calls))


def _collect(outcomes: SimpleQueue[tuple[int, T | BaseException]], count: int) -> list[T]:
    results: dict[int, T] = {}
    for _ in range(count):
        index, outcome = outcomes.get()
        if isinstance(outcome, BaseException):
            raise outcome
        results[index] = outcome
    return [results[index] for index in range(count)]
