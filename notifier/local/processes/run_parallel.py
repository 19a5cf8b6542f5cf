"""Run a few slow starts or stops side by side."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import TypeVar

T = TypeVar("T")


def run_parallel(jobs: Sequence[Callable[[], T]]) -> list[T]:
    """Results in the order of the jobs. The first error is raised at once, without waiting for the other jobs:
    who catches it stops what they were starting. Daemon threads, because an executor's are joined at exit."""
    answers: SimpleQueue[tuple[int, T | BaseException]] = SimpleQueue()

    def run(index: int, job: Callable[[], T]) -> None:
        try:
            answers.put((index, job()))
        except BaseException as error:
            answers.put((index, error))

    for index, job in enumerate(jobs):
        threading.Thread(target=run, args=(index, job), daemon=True).start()
    return _collect(answers, len(jobs))


def _collect(answers: SimpleQueue[tuple[int, T | BaseException]], count: int) -> list[T]:
    results: dict[int, T] = {}
    for _ in range(count):
        index, answer = answers.get()
        if isinstance(answer, BaseException):
            raise answer
        results[index] = answer
    return [results[index] for index in range(count)]
