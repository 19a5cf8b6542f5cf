"""Lets a thread with much to compute give way to threads with little, in one process.

Python runs one thread at a time. A bulk request renders a thousand messages without a pause, and a single notification
asks for its turn a dozen times and waits up to half a millisecond each time. So the bulk stands still between two of
its messages while a single one is being accepted: for PAUSE at most after each SLICE of its own work, so that it keeps
a third of its speed beside any number of single ones.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

#: seconds of own work between two pauses, and the longest pause
SLICE, PAUSE = 0.001, 0.002


class _Urgent:
    """How many urgent pieces of work are under way."""

    def __init__(self) -> None:
        self.count = 0
        self.changed = threading.Condition()


class _Own(threading.local):
    """Of this thread: whether it gives way, and since when it works without a pause."""

    gives_way = False
    since = 0.0


_urgent, _own = _Urgent(), _Own()


@contextmanager
def urgent() -> Iterator[None]:
    """While the block runs, threads that give way pause. 1.5 µs."""
    with _urgent.changed:
        _urgent.count += 1
    try:
        yield
    finally:
        with _urgent.changed:
            _urgent.count -= 1
            if not _urgent.count:
                _urgent.changed.notify_all()


@contextmanager
def yielding() -> Iterator[None]:
    """In the block, `give_way` of this thread gives way."""
    _own.gives_way, _own.since = True, time.monotonic()
    try:
        yield
    finally:
        _own.gives_way = False


def give_way() -> None:
    """Between two pieces of work that hold no lock. 50 ns in a thread that does not give way, or beside no urgent
    work."""
    if not _urgent.count or not _own.gives_way or time.monotonic() - _own.since < SLICE:
        return
    with _urgent.changed:
        _urgent.changed.wait_for(lambda: not _urgent.count, PAUSE)
    _own.since = time.monotonic()
