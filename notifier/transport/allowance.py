"""How many concurrent streams a server gets after it refused some: half at first, then slowly more."""

from __future__ import annotations


class Allowance:
    """`limit` is `most` until the first refusal, and again about 5,000 answers after a refusal at 100 streams."""

    def __init__(self, most: int) -> None:
        self.limit = self._most = most
        self._credit = 0

    @property
    def reduced(self) -> bool:
        return self.limit < self._most

    def refuse(self, in_flight: int) -> None:
        """The server refused a stream while so many were in flight."""
        self.limit, self._credit = max(1, min(self.limit, in_flight) // 2), 0

    def answer(self, count: int) -> None:
        """The server answered: one more stream for each `limit` answers."""
        if not self.reduced:
            return
        self._credit += count
        while self.reduced and self._credit >= self.limit:
            self._credit -= self.limit
            self.limit += 1
