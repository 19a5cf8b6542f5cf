"""Run a few slow starts or stops side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

T = TypeVar("T")


def together(jobs: Sequence[Callable[[], T]]) -> list[T]:
    """Results in the order of the jobs. The first error is raised at once, without waiting for the other jobs:
    who catches it stops what they were starting."""
    pool = ThreadPoolExecutor(max_workers=max(len(jobs), 1))
    try:
        futures = [pool.submit(job) for job in jobs]
        for done in as_completed(futures):
            done.result()
        return [future.result() for future in futures]
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
