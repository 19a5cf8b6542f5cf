"""A cache of values that may be some seconds old. Threads may share it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class TtlCache(Generic[K, V]):
    """Values by key, each for `seconds`. A full cache (`max_entries`) drops all values, and the callers read again."""

    def __init__(self, seconds: float, max_entries: int = 1_000, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds, self._max_entries, self._clock = seconds, max_entries, clock
        self._values: dict[K, tuple[float, V]] = {}

    def get(self, key: K) -> V | None:
        """None when the key has no value, or an older one."""
        at, value = self._values.get(key, (0.0, None))
        return value if value is not None and self._clock() - at < self.seconds else None

    def keep(self, key: K, value: V) -> None:
        if len(self._values) >= self._max_entries:
            self._values.clear()
        self._values[key] = (self._clock(), value)

    def forget(self, key: K) -> None:
        self._values.pop(key, None)

    def clear(self) -> None:
        self._values.clear()
