"""Completion queues: the transport's threads deliver answers to them, and a sending thread waits at its queue.

Waking the sending thread is what costs: each time it runs, the transport's thread waits for the interpreter. So only
the last answer of a batch, or WAKE_AT answers together, wake it; it finds all other answers when it looks every GATHER
seconds.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, cast

from notifier.vocabulary.http import Answered, RequestBatch, RequestRows, RequestTemplate, Response, TransportError

GATHER = 0.05  #: seconds for which an answer may wait for more, so that one wakeup serves many answers
WAKE_AT = 1_000  #: answers that wake the sending thread although no batch is complete
FOREVER = 86_400.0


class BatchStarter(Protocol):
    """What a completion queue needs of the HTTP client."""

    def start_batch(self, pending: PendingBatch, template: RequestTemplate, rows: RequestRows) -> None: ...
    def withdraw(self, pending: PendingBatch) -> None: ...


class Completions:
    """The CompletionQueue of one sending thread."""

    def __init__(self, client: BatchStarter, gather: float = GATHER, wake_at: int = WAKE_AT) -> None:
        self.client = client
        self.lock = threading.Lock()
        self.left = 0
        self._gather, self._wake_at = gather, wake_at
        self._wakeup = threading.Lock()  # held until an answer wakes; threading.Condition makes a new lock a wait
        self._wakeup.acquire()
        self._notified = False
        self._arrived: list[tuple[PendingBatch, Sequence[Answered]]] = []
        self._size = 0
        self._ready: list[PendingBatch] = []  #: batches with answers that were collected and not taken yet

    def send_batch(self, template: RequestTemplate, rows: RequestRows) -> PendingBatch:
        if len(rows.headers) != len(template.own_headers):
            raise ValueError("as many columns of headers as own headers of the template")
        pending = PendingBatch(len(rows.bodies), self)
        self.client.start_batch(pending, template, rows)
        return pending

    def take(self, timeout: float) -> list[tuple[RequestBatch, list[Answered]]]:
        until = time.monotonic() + timeout
        while not self._ready and self.left and self.collect(until):
            pass
        pendings, self._ready = self._ready, []
        return [(pending, pending.take_ready()) for pending in pendings]

    def collect(self, until: float) -> bool:
        """Wait for a wakeup, at most `gather` seconds, then sort the answers by batch. False when the time is over."""
        timeout = until - time.monotonic()
        woken = self._wakeup.acquire(timeout=max(0.0, min(timeout, self._gather)))
        with self.lock:
            if self._notified and not woken:
                self._wakeup.acquire()
            arrived, self._arrived, self._size, self._notified = self._arrived, [], 0, False
        for pending, answers in arrived:
            if not pending.ready:
                self._ready.append(pending)
            pending.ready += answers
        return timeout > 0

    def discard_ready(self, pending: PendingBatch) -> None:
        """The batch's own `take` returns its answers; `Completions.take` must not."""
        self._ready.remove(pending)

    def post(self, pending: PendingBatch, answers: Sequence[Answered], *, last: bool) -> None:
        """Called by a transport thread that holds `lock`."""
        self._arrived.append((pending, answers))
        self._size += len(answers)
        if (last or self._size >= self._wake_at) and not self._notified:
            self._notified = True
            self._wakeup.release()


class PendingBatch:
    """The requests of one call and their answers, each returned once: a RequestBatch."""

    def __init__(self, size: int, completions: Completions) -> None:
        self.withdrawn = False  #: requests that have not begun must not begin
        self.accepted: Callable[[Sequence[int]], None] | None = None  #: as RequestTemplate.accepted
        self.left = size
        self.ready: list[Answered] = []
        self._completions = completions
        self._size = self._unanswered = size
        self._received: list[Sequence[Answered]] = []
        self._failed = False
        self._registries: list[set[PendingBatch]] = []
        completions.left += size

    # -- the sending thread calls these --

    def take(self, timeout: float) -> list[Answered]:
        until = time.monotonic() + timeout
        while not self.ready and self.left and self._completions.collect(until):
            pass
        if not self.ready:
            return []
        self._completions.discard_ready(self)
        return self.take_ready()

    def take_ready(self) -> list[Answered]:
        answers, self.ready = self.ready, []
        self.left -= len(answers)
        self._completions.left -= len(answers)
        return answers

    def withdraw(self) -> None:
        if self.left and not self.withdrawn:
            self.withdrawn = True
            self._completions.client.withdraw(self)

    # -- the transport's threads call these --

    def register_in(self, registry: set[PendingBatch]) -> None:
        """Stay in `registry` until every request is answered. A thread that ends fails all batches of its registry."""
        self._registries.append(registry)
        registry.add(self)

    def put(self, answers: Sequence[Answered]) -> None:
        with self._completions.lock:
            if not self._failed:
                self._deliver(answers)

    def refuse(self, indexes: Sequence[int], error: TransportError) -> None:
        if indexes:
            self.put([(index, error) for index in indexes])

    def fail(self, detail: str) -> None:
        """Answer every open request as in doubt, because the transport thread that carried them ends."""
        error = TransportError(True, detail, disconnected=True)
        with self._completions.lock:
            answered = {index for answers in self._received for index, _ in answers}
            unanswered = [(index, error) for index in range(self._size) if index not in answered]
            if unanswered and not self._failed:
                self._deliver(unanswered)
            self._failed = True

    def _deliver(self, answers: Sequence[Answered]) -> None:
        self._received.append(answers)
        self._unanswered -= len(answers)
        self._completions.post(self, answers, last=not self._unanswered)
        if not self._unanswered:
            for registry in self._registries:
                registry.discard(self)


def iter_answers(pending: PendingBatch) -> Iterator[Sequence[tuple[int, Response | TransportError]]]:
    """The answers of a batch that keeps whole answers. Closing the iterator early withdraws what has not begun."""
    try:
        while pending.left:
            if answers := pending.take(FOREVER):
                yield cast(Sequence[tuple[int, Response | TransportError]], answers)
    finally:
        pending.withdraw()
