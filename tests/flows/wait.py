"""Waiting for what other processes do: always for a condition, never for a while."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
PATIENCE = 90.0


def until(found: Callable[[], T], what: str, seconds: float = PATIENCE) -> T:
    """The first truthy answer. Fails with the last answer that was not."""
    end = time.monotonic() + seconds
    while not (answer := found()):
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds:.0f} s for {what}; the last answer was {answer!r}")
        time.sleep(0.05)
    return answer
