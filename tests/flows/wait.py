"""Waits for other processes: always for a condition, never for a fixed time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
TIMEOUT = 90.0
#: seconds between two looks, at the beginning of a wait and at most: most looks are requests, and cost the site CPU
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 0.2


def until(condition: Callable[[], T], description: str, seconds: float = TIMEOUT) -> T:
    """The first truthy result of `condition`. Fails after so many seconds, with the last result."""
    deadline = time.monotonic() + seconds
    pause = FIRST_PAUSE
    while not (result := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:.0f} s for {description}; the last result was {result!r}")
        time.sleep(pause)
        pause = min(LONGEST_PAUSE, pause * 1.1)
    return result
