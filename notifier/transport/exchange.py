"""The meeting point of a task's thread, which waits for answers, and the loop thread, which brings them."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from notifier.vocabulary import Broken, Request, Response

GATHER = 0.05  #: seconds that answers are gathered into one batch, once the first of it is there

Answered = tuple[int, Response | Broken]


class Exchange:
    """The requests of one `Wire.exchange` call and their answers."""

    def __init__(self, requests: Sequence[Request]) -> None:
        self.requests = requests
        self.withdrawn = False  #: the consumer left; what has not begun must not begin
        self._unanswered = set(range(len(requests)))
        self._ready: list[Answered] = []
        self._changed = threading.Condition(threading.Lock())

    # -- the loop thread --

    def put(self, answers: Sequence[Answered]) -> bool:
        """Bring answers; True when they were the last. The waiting thread is woken by the first of a batch and by
        the last of all only."""
        with self._changed:
            wake = not self._ready
            self._ready += answers
            self._unanswered.difference_update([index for index, _ in answers])
            if wake or not self._unanswered:
                self._changed.notify()
            return not self._unanswered

    def fail(self, detail: str) -> None:
        """Answer everything that is still open as in doubt; the loop thread is going down."""
        with self._changed:
            self._ready += [(index, Broken(True, detail)) for index in sorted(self._unanswered)]
            self._unanswered.clear()
            self._changed.notify()

    # -- the task's thread --

    def take(self) -> list[Answered]:
        """The next batch; empty when all is answered."""
        with self._changed:
            while not self._ready and self._unanswered:
                self._changed.wait()
            if self._unanswered:
                self._changed.wait_for(lambda: self.complete, GATHER)
            batch, self._ready = self._ready, []
            return batch

    @property
    def complete(self) -> bool:
        return not self._unanswered
