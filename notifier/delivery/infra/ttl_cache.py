"""What a process read a moment ago and may believe for a while. Any thread may use it."""

from __future__ import annotations

import time
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class TtlCache(Generic[K, V]):
    """Values by key, each for `seconds`. Forgets all when it has `most`: whoever asks reads again."""

    def __init__(self, seconds: float, max_entries: int = 1_000) -> None:
        self.seconds, self._max_entries = seconds, max_entries
        self._values: dict[K, tuple[float, V]] = {}

    def get(self, key: K) -> V | None:
        """None when it was not kept, or too long ago."""
        at, value = self._values.get(key, (0.0, None))
        return value if value is not None and time.monotonic() - at < self.seconds else None

    def keep(self, key: K, value: V) -> None:
        if len(self._values) >= self._max_entries:
            self._values.clear()
        self._values[key] = (time.monotonic(), value)

    def forget(self, key: K) -> None:
        self._values.pop(key, None)

    def clear(self) -> None:
        self._values.clear()
