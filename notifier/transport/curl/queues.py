"""Requests that wait for a server until its gate lets libcurl have them. Only the loop's thread uses these."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from notifier.transport.completions import PendingBatch
from notifier.transport.curl.gate import Gate
from notifier.vocabulary.http import WITHDRAWN, Request, TransportError


@dataclass(frozen=True, slots=True)
class Submission:
    """Requests of a pending batch, each with its index there. `whole`: keep the whole answer of a plain 200, too."""

    pending: PendingBatch
    requests: Sequence[tuple[int, Request]]
    whole: bool


@dataclass(slots=True)
class UnsentRequests:
    """The requests of a submission to one server that have not begun."""

    submission: Submission
    requests: Iterator[tuple[int, Request]]
    queued_at: float

    def refuse(self, error: TransportError) -> None:
        self.submission.pending.refuse([index for index, _ in self.requests], error)


class EndpointQueue:
    """The requests that wait for one server, and how many libcurl has."""

    __slots__ = ("gate", "in_flight", "last_answer_at", "waiting")

    def __init__(self, most: int) -> None:
        self.waiting: deque[UnsentRequests] = deque()
        self.in_flight = 0
        self.gate = Gate(most)
        self.last_answer_at = 0.0

    def give_up(self, timeout: float) -> None:
        """Refuse the requests that have waited for `timeout` seconds while no answer came."""
        before = time.monotonic() - timeout
        for unsent in self.waiting:
            if max(unsent.queued_at, self.last_answer_at) <= before:
                unsent.refuse(TransportError(False, "no stream came free within the timeout", disconnected=True))

    def refuse(self, error: TransportError) -> None:
        """The server cannot be reached: refuse everything that waits; none of it has begun."""
        while self.waiting:
            self.waiting.popleft().refuse(error)


@dataclass(slots=True)
class RequestOwner:
    """Where the request of a transfer came from and where its answer goes."""

    unsent: UnsentRequests
    index: int
    request: Request
    queue: EndpointQueue

    @property
    def pending(self) -> PendingBatch:
        return self.unsent.submission.pending


def queue_again(owners: Sequence[RequestOwner]) -> None:
    """Put requests that the gate held back first in their queue; nothing of them was written."""
    by_unsent: dict[int, list[RequestOwner]] = {}
    for owner in owners:
        if owner.pending.withdrawn:
            owner.pending.put([(owner.index, WITHDRAWN)])
        else:
            by_unsent.setdefault(id(owner.unsent), []).append(owner)
    for same in by_unsent.values():
        unsent = same[0].unsent
        requests = iter([(owner.index, owner.request) for owner in same])
        same[0].queue.waiting.appendleft(UnsentRequests(unsent.submission, requests, unsent.queued_at))
