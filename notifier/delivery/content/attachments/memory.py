"""How many messages with attachments a process builds at once. 400 requests of a batch with 10 MB each would take
20 GB: a request has the file in base64, and parts of the request are copied while it is put together."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from notifier.channels.base import Message

M = TypeVar("M", bound=Message)
#: bytes of files in the requests of one portion; of all portions that a process has in flight; and those of a message
#: that a campaign's body template may repeat 1,000 times
PORTION_BYTES, PROCESS_BYTES, LIGHT_BYTES = 16 * 1024 * 1024, 32 * 1024 * 1024, 64 * 1024


def portions(messages: Sequence[M]) -> Iterator[tuple[int, Sequence[M], int]]:
    """The messages in portions: the index of the first message, the portion, and the bytes of its files. Messages
    without files are one portion, for 0.2 µs each."""
    sizes = [message.file_bytes for message in messages]
    if sum(sizes) <= PORTION_BYTES:
        yield 0, messages, sum(sizes)
        return
    first, held = 0, 0
    for at, size in enumerate(sizes):
        if at > first and held + size > PORTION_BYTES:
            yield first, messages[first:at], held
            first, held = at, 0
        held += size
    yield first, messages[first:], held


class Budget:
    """Bytes that the threads of a process share."""

    def __init__(self, size: int) -> None:
        self._left = size
        self._size = size
        self._changed = threading.Condition()

    @contextmanager
    def reserve(self, size: int) -> Iterator[None]:
        """Wait until so many bytes are free, and hold them. More than all bytes count as all."""
        size = min(size, self._size)
        if not size:
            yield
            return
        with self._changed:
            self._changed.wait_for(lambda: self._left >= size)
            self._left -= size
        try:
            yield
        finally:
            with self._changed:
                self._left += size
                self._changed.notify_all()


BUDGET = Budget(PROCESS_BYTES)
