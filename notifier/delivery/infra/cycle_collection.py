"""Python's search for cycles of objects, paused while a call makes many objects and no cycle."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_cycle_collection() -> Iterator[None]:
    """Inside, no thread of the process searches for cycles. Of calls that overlap, the one that ends first lets the
    searches begin again."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
