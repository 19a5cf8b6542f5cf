"""The seconds for which a thread only listened: a task that waits for a wakeup does not count as work."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_local = threading.local()


def seconds() -> float:
    """Of this thread, since it began."""
    return getattr(_local, "seconds", 0.0)


@contextmanager
def listening() -> Iterator[None]:
    """The thread waits for work meanwhile: 0.9 µs for each wait."""
    began = time.monotonic()
    try:
        yield
    finally:
        _local.seconds = seconds() + time.monotonic() - began
