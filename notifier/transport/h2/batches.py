"""Requests that wait for an HTTP/2 connection: a batch, and the cursor at its first request that has not begun."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat

from notifier.transport.completions import PendingBatch
from notifier.transport.h2.protocol.encoded_rows import EncodedRows, encode_rows
from notifier.transport.h2.protocol.incoming import Entry, Reply
from notifier.transport.h2.protocol.request_headers import EncodedTemplate
from notifier.vocabulary.http import Answered, Request, RequestRows, TransportError


class Batch:
    """Requests that share a template. `indexes`: of the requests in their pending batch. `whole`: keep the whole answer
    of a plain 200, too."""

    __slots__ = ("encoded", "encoded_rows", "indexes", "rows", "whole")

    def __init__(self, encoded: EncodedTemplate, indexes: Sequence[int], rows: RequestRows, *, whole: bool) -> None:
        self.encoded, self.indexes, self.rows, self.whole = encoded, indexes, rows, whole
        self.encoded_rows = encode_rows(encoded, rows)

    def request(self, position: int) -> Request:
        return self.rows.request(self.encoded.template, position)


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
        return len(self.batch.rows.bodies[self._at])

    def take(self, most: int, now: float) -> tuple[list[Entry], EncodedRows]:
        """Entries and rows of the next requests, for Connection.begin."""
        batch, start = self.batch, self._at
        self._at = stop = min(start + most, len(batch.indexes))
        deadline = now + batch.encoded.template.timeout
        slots = zip(repeat(self), batch.indexes[start:stop], repeat(deadline), strict=False)
        entries: list[Entry] = [Reply(slot, whole=True) for slot in slots] if batch.whole else list(slots)
        return entries, batch.encoded_rows.slice(start, stop)

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
        again = Batch(batch.encoded, indexes, batch.rows.pick(positions), whole=batch.whole)
        return BatchCursor(self.pending, again, self.repeats + 1)
