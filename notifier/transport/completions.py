"""The meeting point of a task's thread, which waits for answers, and the wire's threads, which bring them.

What costs here is waking: each time that the task's thread runs, the wire's thread waits for the interpreter. So only
the last answer of a volley and a large heap ring; everything else is found by a look every GATHER.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from typing import Protocol, cast

from notifier.vocabulary.http import Answered, RequestBatch, RequestTemplate, Response, TransportError

GATHER = 0.05  #: seconds for which an answer may wait for more, so that its thread is woken once for many
HEAP = 1_000  #: answers that wait for nobody
FOREVER = 86_400.0

WITHDRAWN = TransportError(False, "withdrawn")


class Sender(Protocol):
    """The wire, as a box sees it."""

    def launch(
        self, pending: PendingBatch, head: RequestTemplate, bodies: Sequence[bytes], paths: Sequence[bytes] | None
    ) -> None: ...
    def retract(self, pending: PendingBatch) -> None: ...


class Completions:
    """The answers of one thread's jobs: a Mailbox."""

    def __init__(self, sender: Sender) -> None:
        self.sender = sender
        self.lock = threading.Lock()
        self.left = 0
        self._bell = threading.Lock()  # a lock as a bell: threading.Condition makes a new one for each wait
        self._bell.acquire()
        self._rung = False
        self._heap: list[tuple[PendingBatch, Sequence[Answered]]] = []
        self._size = 0
        self._sorted: list[PendingBatch] = []  #: whose answers were sorted and not taken yet

    def send_batch(
        self, head: RequestTemplate, bodies: Sequence[bytes], paths: Sequence[bytes] | None = None
    ) -> PendingBatch:
        if paths is not None and len(paths) != len(bodies):
            raise ValueError("as many paths as bodies")
        pending = PendingBatch(len(bodies), self)
        self.sender.launch(pending, head, bodies, paths)
        return pending

    def take(self, patience: float) -> list[tuple[RequestBatch, list[Answered]]]:
        until = time.monotonic() + patience
        while not self._sorted and self.left and self.sort(until):
            pass
        pendings, self._sorted = self._sorted, []
        return [(pending, pending.told()) for pending in pendings]

    def sort(self, until: float) -> bool:
        """Wait for the bell, for GATHER at most, then sort what is there by job. False when the time is over."""
        patience = until - time.monotonic()
        heard = self._bell.acquire(timeout=max(0.0, min(patience, GATHER)))
        with self.lock:
            if self._rung and not heard:
                self._bell.acquire()
            heap, self._heap, self._size, self._rung = self._heap, [], 0, False
        for pending, answers in heap:
            if not pending.ready:
                self._sorted.append(pending)
            pending.ready += answers
        return patience > 0

    def unsort(self, pending: PendingBatch) -> None:
        """Its answers are taken by themselves."""
        self._sorted.remove(pending)

    def post(self, pending: PendingBatch, answers: Sequence[Answered], *, last: bool) -> None:
        """From a wire's thread, which holds the lock."""
        self._heap.append((pending, answers))
        self._size += len(answers)
        if (last or self._size >= HEAP) and not self._rung:
            self._rung = True
            self._bell.release()


class PendingBatch:
    """The requests of one call and their answers, each told once: a Volley."""

    def __init__(self, size: int, completions: Completions) -> None:
        self.withdrawn = False  #: what has not begun must not begin
        self.left = size
        self.ready: list[Answered] = []
        self._completions = completions
        self._size = self._due = size
        self._came: list[Sequence[Answered]] = []
        self._failed = False
        self._keepers: list[set[PendingBatch]] = []
        completions.left += size

    # -- the task's thread --

    def take(self, patience: float) -> list[Answered]:
        until = time.monotonic() + patience
        while not self.ready and self.left and self._completions.sort(until):
            pass
        if not self.ready:
            return []
        self._completions.unsort(self)
        return self.told()

    def told(self) -> list[Answered]:
        batch, self.ready = self.ready, []
        self.left -= len(batch)
        self._completions.left -= len(batch)
        return batch

    def withdraw(self) -> None:
        if self.left and not self.withdrawn:
            self.withdrawn = True
            self._completions.sender.retract(self)

    # -- the wire's threads --

    def kept_in(self, keeper: set[PendingBatch]) -> None:
        """Be in that set until all is answered: who keeps it fails it when its thread ends."""
        self._keepers.append(keeper)
        keeper.add(self)

    def put(self, answers: Sequence[Answered]) -> None:
        with self._completions.lock:
            if not self._failed:
                self._bring(answers)

    def refuse(self, indexes: Sequence[int], broken: TransportError) -> None:
        if indexes:
            self.put([(index, broken) for index in indexes])

    def fail(self, detail: str) -> None:
        """Answer everything that is still open as in doubt; a wire's thread is going down."""
        broken = TransportError(True, detail, disconnected=True)
        with self._completions.lock:
            answered = {index for batch in self._came for index, _ in batch}
            rest = [(index, broken) for index in range(self._size) if index not in answered]
            if rest and not self._failed:
                self._bring(rest)
            self._failed = True

    def _bring(self, answers: Sequence[Answered]) -> None:
        self._came.append(answers)
        self._due -= len(answers)
        self._completions.post(self, answers, last=not self._due)
        if not self._due:
            for keeper in self._keepers:
                keeper.discard(self)


def batches(pending: PendingBatch) -> Iterator[Sequence[tuple[int, Response | TransportError]]]:
    """The answers of a job that keeps whole ones. Closing it early withdraws what has not begun."""
    try:
        while pending.left:
            if batch := pending.take(FOREVER):
                yield cast(Sequence[tuple[int, Response | TransportError]], batch)
    finally:
        pending.withdraw()
