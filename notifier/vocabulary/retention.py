"""How long what is stored is kept: the kinds of data for which a tenant chooses, and the bounds of the choice."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

#: the shortest choice
LEAST_DAYS = 1


class Keep(StrEnum):
    """Data with one time of keeping, which a tenant may choose."""

    MESSAGES = "messages"  #: requests, messages, their content and history, the inbox, closed digests, attachments
    COUNTS = "counts"  #: counts of messages by day, and reports of campaigns whose messages are deleted


@dataclass(frozen=True)
class Bounds:
    """Days of one kind: what holds for a tenant that has not chosen, and the most that a tenant may choose."""

    usual: int
    most: int

    def allows(self, days: int) -> bool:
        return LEAST_DAYS <= days <= self.most

    def days(self, chosen: int | None) -> int:
        """The days that hold for a tenant. A choice above a maximum that an operator has lowered is the maximum."""
        return min(self.usual if chosen is None else chosen, self.most)


def cutoff(now: datetime, days: int) -> datetime:
    """What is older than this time is deleted."""
    return now - timedelta(days=days)
