"""One limit as this process holds it. No clock and no network of its own."""

from __future__ import annotations

import math
from dataclasses import dataclass

from notifier.vocabulary.rates import WINDOW

#: seconds of the rate that a process leases at once: what a killed process takes with it, and what an idle one holds
#: back for a second
BLOCK_SECONDS = 0.5


@dataclass(slots=True, eq=False)
class Bucket:
    """Tokens that this process may spend. Below zero: a request for many recipients took more than there was, and the
    next leases pay for it."""

    name: str  #: of the limit, as clients read it: requests, recipients, key-requests, …
    key: str  #: in Redis
    rate: float  #: tokens a second
    tokens: float = 0.0
    left: float = 0.0  #: tokens that Redis had left, at `left_at`
    left_at: float = 0.0
    #: there is nothing to lease before this moment
    dry_until: float = 0.0
    #: until when tokens of the local share were counted
    filled_at: float = 0.0
    used: bool = False  #: since the last tick of the leasing thread
    wanted: bool = False  #: the leasing thread was told

    @property
    def quota(self) -> float:
        return self.rate * WINDOW

    @property
    def block(self) -> float:
        return max(1.0, self.rate * BLOCK_SECONDS)

    def take(self, count: float = 1.0) -> bool:
        """Take the tokens if there is one at least; the rest becomes a debt, so that a request larger than the limit
        waits, and is not refused for ever. Not locked: two threads may both take the last token."""
        if self.tokens < 1.0:
            return False
        self.tokens -= count
        self.used = True
        return True

    def is_low(self) -> bool:
        return self.tokens < self.block / 2

    def needs_lease(self, now: float) -> bool:
        """There is no token, and a lease may bring one. After a lease, `left` says whether the next may."""
        return self.tokens < 1.0 and self.dry_until <= now

    def want(self, awaited: float = 0.0) -> float:
        """How many tokens to lease now, when requests wait for so many."""
        return max(1.0, self.block - self.tokens + awaited)

    def leased(self, granted: float, left: float, now: float) -> None:
        self.tokens += granted
        self.left, self.left_at = left, now
        # in place of a lease for each refused request; a bucket that only gave its tokens back is not dry
        self.dry_until = now + min(1.0, max(0.02, (1.0 - left) / self.rate)) if left < 1.0 else 0.0
        self.filled_at = now

    def fill_locally(self, share: float, now: float) -> None:
        """Add what the share of this process has gained since the last time; a second's worth at first."""
        since = min(float(WINDOW), now - self.filled_at) if self.filled_at else 1.0
        gained = since * self.rate * share
        self.tokens = min(max(1.0, self.quota * share), self.tokens + (gained if self.filled_at else max(1.0, gained)))
        self.filled_at = now
        self.left, self.left_at = 0.0, now

    def remaining(self, now: float) -> int:
        """Tokens that the caller may still spend, as far as this process knows."""
        if self.tokens < 1.0 and self.dry_until > now:
            return 0
        left = self.left + (now - self.left_at) * self.rate if self.left_at else self.left
        return max(0, int(min(self.quota, self.tokens + left)))

    def seconds_to_full(self, now: float) -> int:
        return math.ceil((self.quota - self.remaining(now)) / self.rate)

    def seconds_to_one(self) -> int:
        """When to try again."""
        return max(1, math.ceil((1.0 - min(0.0, self.tokens)) / self.rate))
