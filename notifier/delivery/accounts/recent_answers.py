"""What providers answered this process within the last seconds, by account: whether an account takes most of what it is
given. Such an account is tried again soon after an error (ledger.retry), one that mostly fails ever more seldom.

Health, in Redis, moves once for each batch, and a whole shard of a campaign is one batch: too slow for a first retry
after a second. A count costs 0.25 µs, for all answers that came together.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence

from notifier.vocabulary.verdicts import InDoubt, Permanent, Sent, Temporary, Verdict

#: answers count for so long, and half as long again
SECONDS = 20.0
#: fewer answers prove nothing
FEWEST = 10


#: so many connections in a row that ended under a message, and no answer, are no chance
MOST_LOST = 10


class RecentAnswers:
    """The answers of one process. Threads may lose each other's counts, which the next answers make up for."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        #: account -> [good, all] of the present and of the last period
        self._now: dict[uuid.UUID, list[int]] = {}
        self._before: dict[uuid.UUID, list[int]] = {}
        self._until = 0.0
        #: account -> messages whose connection ended, since the last answer
        self._lost: dict[uuid.UUID, int] = {}

    def add(self, account_id: uuid.UUID, good: int, answered: int) -> None:
        """So many answers came, of which so many were good: the message was taken, or refused for good."""
        self._turn()
        counts = self._now.setdefault(account_id, [0, 0])
        counts[0] += good
        counts[1] += answered
        if answered and self._lost:
            self._lost.pop(account_id, None)

    def add_lost(self, account_id: uuid.UUID, lost: int) -> None:
        """The connections of so many messages ended before an answer came, after the last answer."""
        self._lost[account_id] = self._lost.get(account_id, 0) + lost

    def only_loses(self, account_id: uuid.UUID) -> bool:
        """Whether the account has given no answer lately, and enough connections have ended since its last one. Where
        other messages are answered, it is a few messages that end their connections."""
        self._turn()
        answered = any(counts.get(account_id, (0, 0))[1] for counts in (self._now, self._before))
        return not answered and self._lost.get(account_id, 0) >= MOST_LOST

    def takes_most(self, account_id: uuid.UUID) -> bool:
        """Whether the account has given enough answers lately, and most of them were good."""
        self._turn()
        now, before = self._now.get(account_id, (0, 0)), self._before.get(account_id, (0, 0))
        good, answered = now[0] + before[0], now[1] + before[1]
        return answered >= FEWEST and good * 2 > answered

    def _turn(self) -> None:
        now = self._clock()
        if now >= self._until:
            self._before = self._now if now < self._until + SECONDS else {}
            self._now, self._until = {}, now + SECONDS

    def clear(self) -> None:
        self._now, self._before, self._lost = {}, {}, {}


def add_verdicts(account_id: uuid.UUID, verdicts: Sequence[Verdict], taken: int = 0) -> None:
    """Count these verdicts, and `taken` messages that were sent without one. A connection that ended is no answer."""
    answers = [v for v in verdicts if not (isinstance(v, InDoubt | Temporary) and v.disconnected)]
    good = taken + sum(isinstance(verdict, Sent | Permanent) for verdict in answers)
    recent.add(account_id, good, taken + len(answers))
    if len(answers) < len(verdicts):
        recent.add_lost(account_id, len(verdicts) - len(answers))


#: of this process
recent = RecentAnswers()
