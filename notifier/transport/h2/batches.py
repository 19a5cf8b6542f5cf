"""Requests that wait for an HTTP/2 connection: a batch, and the cursor at its first request that has not begun."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from notifier.transport.completions import PendingBatch
from notifier.transport.h2.incoming import Entry, Reply
from notifier.transport.h2.request_headers import EncodedTemplate
from notifier.vocabulary.http import Answered, Request, TransportError


@dataclass(frozen=True, slots=True)
class Batch:
    """Requests that share a template. `whole`: keep the whole answer of a plain 200, too."""

    encoded: EncodedTemplate
    indexes: Sequence[int]  #: of the requests in their pending batch
    paths: Sequence[bytes] | None
    bodies: Sequence[bytes]
    whole: bool

    def request(self, position: int) -> Request:
        template = self.encoded.template
        path = template.path if self.paths is None else self.paths[position].decode("ascii")
        return Request(
            template.method, template.origin + path, template.headers, self.bodies[position], template.timeout
        )


class BatchCursor:
    """A batch that waits for connections, and the position of its first request that has not begun."""

    __slots__ = ("_at", "answers", "batch", "pending", "queued_at", "repeats")

    def __init__(self, pending: PendingBatch, batch: Batch, repeats: int = 0) -> None:
        self.pending, self.batch, self.repeats = pending, batch, repeats
        self.queued_at = 0.0  #: when it came to its origin
        self.answers: list[Answered] = []  #: not delivered to the pending batch yet
        self._at = 0

    @property
    def left(self) -> int:
        return len(self.batch.indexes) - self._at

    @property
    def next_size(self) -> int:
        return len(self.batch.bodies[self._at])

    def take(self, most: int, now: float) -> tuple[list[Entry], Sequence[bytes] | None, Sequence[bytes]]:
        """Entries, paths and bodies of the next requests, for Connection.begin."""
        batch, start = self.batch, self._at
        self._at = stop = min(start + most, len(batch.indexes))
        deadline = now + batch.encoded.template.timeout
        slots = [(self, index, deadline) for index in batch.indexes[start:stop]]
        entries: list[Entry] = [Reply(slot, whole=True) for slot in slots] if batch.whole else [*slots]
        return entries, None if batch.paths is None else batch.paths[start:stop], batch.bodies[start:stop]

    def refuse(self, error: TransportError) -> None:
        """Answer the requests that have not begun with `error`; they never begin."""
        start, self._at = self._at, len(self.batch.indexes)
        self.pending.refuse(self.batch.indexes[start:], error)

    def hand_over(self) -> list[tuple[int, Request]]:
        """The requests that have not begun, for another client to send; they never begin here."""
        batch, start = self.batch, self._at
        self._at = len(batch.indexes)
        return [(batch.indexes[position], batch.request(position)) for position in range(start, self._at)]

    def again(self, indexes: Sequence[int], most: int) -> BatchCursor | None:
        """A cursor over the requests that the server refused unprocessed; None after `most` repeats."""
        if self.repeats >= most or self.pending.withdrawn:
            return None
        batch = self.batch
        positions = [batch.indexes.index(index) for index in indexes]
        paths = None if batch.paths is None else [batch.paths[position] for position in positions]
        bodies = [batch.bodies[position] for position in positions]
        return BatchCursor(self.pending, Batch(batch.encoded, indexes, paths, bodies, batch.whole), self.repeats + 1)
