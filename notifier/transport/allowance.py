"""How many streams a far end is trusted with after it refused some: half as many at once, then slowly more."""

from __future__ import annotations


class Allowance:
    """`limit` is `most` until the first refusal, and again some 5,000 answers after one at 100 streams."""

    def __init__(self, most: int) -> None:
        self.limit = self._most = most
        self._credit = 0

    @property
    def reduced(self) -> bool:
        return self.limit < self._most

    def refuse(self, under_way: int) -> None:
        """The far end had enough with so many streams under way."""
        self.limit, self._credit = max(1, min(self.limit, under_way) // 2), 0

    def answer(self, count: int) -> None:
        """It answered: one stream more for each `limit` of answers."""
        if not self.reduced:
            return
        self._credit += count
        while self.reduced and self._credit >= self.limit:
            self._credit -= self.limit
            self.limit += 1
