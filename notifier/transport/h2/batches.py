"""What a far end is to be sent: a load of requests, and a run, which is a load on its way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from notifier.transport.completions import PendingBatch
from notifier.transport.h2.incoming import Entry, Reply
from notifier.transport.h2.request_headers import EncodedTemplate
from notifier.vocabulary.http import Answered, Request, TransportError


@dataclass(frozen=True, slots=True)
class Batch:
    """Requests that share a template. `whole`: the whole answer is wanted, also of a plain 200."""

    template: EncodedTemplate
    indexes: Sequence[int]
    paths: Sequence[bytes] | None
    bodies: Sequence[bytes]
    whole: bool

    def request(self, place: int) -> Request:
        head = self.template.head
        path = head.path if self.paths is None else self.paths[place].decode("ascii")
        return Request(head.method, head.origin + path, head.headers, self.bodies[place], head.timeout)


class BatchCursor:
    """A load on its way: what of it has not begun."""

    __slots__ = ("_at", "fresh", "load", "pending", "queued", "repeats")

    def __init__(self, pending: PendingBatch, load: Batch, repeats: int = 0) -> None:
        self.pending, self.load, self.repeats = pending, load, repeats
        self.queued = 0.0  #: when it came to its origin
        self.fresh: list[Answered] = []  #: answers that the job has not been given yet
        self._at = 0

    @property
    def left(self) -> int:
        return len(self.load.indexes) - self._at

    @property
    def next_size(self) -> int:
        return len(self.load.bodies[self._at])

    def take(self, most: int, now: float) -> tuple[list[Entry], Sequence[bytes] | None, Sequence[bytes]]:
        """The next requests, as Connection.begin wants them."""
        load, start = self.load, self._at
        self._at = stop = min(start + most, len(load.indexes))
        deadline = now + load.template.head.timeout
        slots = [(self, index, deadline) for index in load.indexes[start:stop]]
        entries: list[Entry] = [Reply(slot, whole=True) for slot in slots] if load.whole else [*slots]
        return entries, None if load.paths is None else load.paths[start:stop], load.bodies[start:stop]

    def refuse(self, broken: TransportError) -> None:
        """What has not begun will not begin."""
        start, self._at = self._at, len(self.load.indexes)
        self.pending.refuse(self.load.indexes[start:], broken)

    def hand_over(self) -> list[tuple[int, Request]]:
        """What has not begun, for another transport; it will not begin here."""
        load, start = self.load, self._at
        self._at = len(load.indexes)
        return [(load.indexes[place], load.request(place)) for place in range(start, self._at)]

    def again(self, indexes: Sequence[int], most: int) -> BatchCursor | None:
        """A run of those that were refused unprocessed, unless that happened `most` times."""
        if self.repeats >= most or self.pending.withdrawn:
            return None
        load = self.load
        places = [load.indexes.index(index) for index in indexes]
        paths = None if load.paths is None else [load.paths[place] for place in places]
        bodies = [load.bodies[place] for place in places]
        return BatchCursor(self.pending, Batch(load.template, indexes, paths, bodies, load.whole), self.repeats + 1)
