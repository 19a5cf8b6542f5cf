"""The meeting point of a task's thread, which waits for answers, and the loop thread, which brings them."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from notifier.transport.h2.connection import Entry
from notifier.transport.h2.heads import Template
from notifier.transport.h2.incoming import Reply
from notifier.vocabulary import Broken, Response

GATHER = 0.05  #: seconds that answers are gathered into one batch, once the first of it is there

Answered = tuple[int, int | Response | Broken]


class Job:
    """The answers of one call. Each index is answered once."""

    def __init__(self, size: int) -> None:
        self.withdrawn = False  #: the consumer left; what has not begun must not begin
        self._left = size
        self._answered = bytearray(size)
        self._ready: list[Answered] = []
        self._changed = threading.Condition(threading.Lock())

    # -- the loop thread --

    def put(self, answers: Sequence[Answered]) -> None:
        """Bring answers. The waiting thread is woken by the first of a batch and by the last of all only."""
        with self._changed:
            for index, _ in answers:
                self._answered[index] = 1
            wake = not self._ready
            self._ready += answers
            self._left -= len(answers)
            if wake or not self._left:
                self._changed.notify()

    def fail(self, detail: str) -> None:
        """Answer everything that is still open as in doubt; the loop thread is going down."""
        self.put([(index, Broken(True, detail)) for index, done in enumerate(self._answered) if not done])

    # -- the task's thread --

    def take(self) -> list[Answered]:
        """The next batch; empty when all is answered."""
        with self._changed:
            while not self._ready and self._left:
                self._changed.wait()
            if self._left:
                self._changed.wait_for(lambda: self.complete, GATHER)
            batch, self._ready = self._ready, []
            return batch

    @property
    def complete(self) -> bool:
        return not self._left


@dataclass(frozen=True, slots=True)
class Load:
    """Requests that share a template. `whole`: the whole answer is wanted, also of a plain 200."""

    template: Template
    indexes: Sequence[int]
    paths: Sequence[bytes] | None
    bodies: Sequence[bytes]
    whole: bool


class Run:
    """A load on its way: what of it has not begun."""

    __slots__ = ("_at", "fresh", "job", "load", "queued", "repeats")

    def __init__(self, job: Job, load: Load, repeats: int = 0) -> None:
        self.job, self.load, self.repeats = job, load, repeats
        self.queued = 0.0  #: when it came to its origin
        self.fresh: list[Answered] = []  #: answers that the job has not been given yet
        self._at = 0

    @property
    def left(self) -> int:
        return 0 if self.job.withdrawn else len(self.load.indexes) - self._at

    @property
    def next_size(self) -> int:
        return len(self.load.bodies[self._at])

    def take(self, most: int, now: float) -> tuple[list[Entry], Sequence[bytes] | None, Sequence[bytes]]:
        """The next requests, as Connection.begin wants them."""
        load, start = self.load, self._at
        self._at = stop = min(start + most, len(load.indexes))
        deadline = now + load.template.timeout
        slots = [(self, index, deadline) for index in load.indexes[start:stop]]
        entries: list[Entry] = [Reply(slot, whole=True) for slot in slots] if load.whole else [*slots]
        return entries, None if load.paths is None else load.paths[start:stop], load.bodies[start:stop]

    def rest(self) -> Sequence[int]:
        """The indexes that have not begun; they will not begin any more."""
        start, self._at = self._at, len(self.load.indexes)
        return self.load.indexes[start:]

    def again(self, indexes: Sequence[int], most: int) -> Run | None:
        """A run of those that were refused unprocessed, unless that happened `most` times."""
        if self.repeats >= most or self.job.withdrawn:
            return None
        load = self.load
        places = [load.indexes.index(index) for index in indexes]
        paths = None if load.paths is None else [load.paths[place] for place in places]
        bodies = [load.bodies[place] for place in places]
        return Run(self.job, Load(load.template, indexes, paths, bodies, load.whole), self.repeats + 1)
