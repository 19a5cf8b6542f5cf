"""The meeting point of a task's thread, which waits for answers, and the wire's threads, which bring them.

What costs here is waking: each time that the task's thread runs, the wire's thread waits for the interpreter. So only
the last answer of a volley and a large heap ring; everything else is found by a look every GATHER.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from typing import Protocol, cast

from notifier.vocabulary import Answered, Broken, Head, Response, Volley

GATHER = 0.05  #: seconds for which an answer may wait for more, so that its thread is woken once for many
HEAP = 1_000  #: answers that wait for nobody
FOREVER = 86_400.0

WITHDRAWN = Broken(False, "withdrawn")


class Sender(Protocol):
    """The wire, as a box sees it."""

    def launch(self, job: Job, head: Head, bodies: Sequence[bytes], paths: Sequence[bytes] | None) -> None: ...
    def retract(self, job: Job) -> None: ...


class Box:
    """The answers of one thread's jobs: a Mailbox."""

    def __init__(self, sender: Sender) -> None:
        self.sender = sender
        self.lock = threading.Lock()
        self.left = 0
        self._bell = threading.Lock()  # a lock as a bell: threading.Condition makes a new one for each wait
        self._bell.acquire()
        self._rung = False
        self._heap: list[tuple[Job, Sequence[Answered]]] = []
        self._size = 0
        self._sorted: list[Job] = []  #: whose answers were sorted and not taken yet

    def volley(self, head: Head, bodies: Sequence[bytes], paths: Sequence[bytes] | None = None) -> Job:
        if paths is not None and len(paths) != len(bodies):
            raise ValueError("as many paths as bodies")
        job = Job(len(bodies), self)
        self.sender.launch(job, head, bodies, paths)
        return job

    def take(self, patience: float) -> list[tuple[Volley, list[Answered]]]:
        until = time.monotonic() + patience
        while not self._sorted and self.left and self.sort(until):
            pass
        jobs, self._sorted = self._sorted, []
        return [(job, job.told()) for job in jobs]

    def sort(self, until: float) -> bool:
        """Wait for the bell, for GATHER at most, then sort what is there by job. False when the time is over."""
        patience = until - time.monotonic()
        heard = self._bell.acquire(timeout=max(0.0, min(patience, GATHER)))
        with self.lock:
            if self._rung and not heard:
                self._bell.acquire()
            heap, self._heap, self._size, self._rung = self._heap, [], 0, False
        for job, answers in heap:
            if not job.ready:
                self._sorted.append(job)
            job.ready += answers
        return patience > 0

    def unsort(self, job: Job) -> None:
        """Its answers are taken by themselves."""
        self._sorted.remove(job)

    def post(self, job: Job, answers: Sequence[Answered], *, last: bool) -> None:
        """From a wire's thread, which holds the lock."""
        self._heap.append((job, answers))
        self._size += len(answers)
        if (last or self._size >= HEAP) and not self._rung:
            self._rung = True
            self._bell.release()


class Job:
    """The requests of one call and their answers, each told once: a Volley."""

    def __init__(self, size: int, box: Box) -> None:
        self.withdrawn = False  #: what has not begun must not begin
        self.left = size
        self.ready: list[Answered] = []
        self._box = box
        self._size = self._due = size
        self._came: list[Sequence[Answered]] = []
        self._failed = False
        self._keepers: list[set[Job]] = []
        box.left += size

    # -- the task's thread --

    def take(self, patience: float) -> list[Answered]:
        until = time.monotonic() + patience
        while not self.ready and self.left and self._box.sort(until):
            pass
        if not self.ready:
            return []
        self._box.unsort(self)
        return self.told()

    def told(self) -> list[Answered]:
        batch, self.ready = self.ready, []
        self.left -= len(batch)
        self._box.left -= len(batch)
        return batch

    def withdraw(self) -> None:
        if self.left and not self.withdrawn:
            self.withdrawn = True
            self._box.sender.retract(self)

    # -- the wire's threads --

    def kept_in(self, keeper: set[Job]) -> None:
        """Be in that set until all is answered: who keeps it fails it when its thread ends."""
        self._keepers.append(keeper)
        keeper.add(self)

    def put(self, answers: Sequence[Answered]) -> None:
        with self._box.lock:
            if not self._failed:
                self._bring(answers)

    def refuse(self, indexes: Sequence[int], broken: Broken) -> None:
        if indexes:
            self.put([(index, broken) for index in indexes])

    def fail(self, detail: str) -> None:
        """Answer everything that is still open as in doubt; a wire's thread is going down."""
        broken = Broken(True, detail, cut=True)
        with self._box.lock:
            answered = {index for batch in self._came for index, _ in batch}
            rest = [(index, broken) for index in range(self._size) if index not in answered]
            if rest and not self._failed:
                self._bring(rest)
            self._failed = True

    def _bring(self, answers: Sequence[Answered]) -> None:
        self._came.append(answers)
        self._due -= len(answers)
        self._box.post(self, answers, last=not self._due)
        if not self._due:
            for keeper in self._keepers:
                keeper.discard(self)


def batches(job: Job) -> Iterator[Sequence[tuple[int, Response | Broken]]]:
    """The answers of a job that keeps whole ones. Closing it early withdraws what has not begun."""
    try:
        while job.left:
            if batch := job.take(FOREVER):
                yield cast(Sequence[tuple[int, Response | Broken]], batch)
    finally:
        job.withdraw()
