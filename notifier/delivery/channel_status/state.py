"""What the facts say about a channel. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from notifier.delivery.accounts.health import FULL

#: seconds for which the oldest urgent message may wait before the channel is degraded, and before it is out
LATE, STUCK = 60.0, 300.0
#: looks of an hour or a day that must find trouble, so that one late minute marks no day
FEWEST_LOOKS = 2


class ChannelState(StrEnum):
    OPERATIONAL = "operational"
    DEGRADED = "degraded"
    OUTAGE = "outage"


@dataclass(frozen=True)
class AccountFacts:
    """An enabled account. `oldest`: seconds for which its oldest due urgent message waits; 0: none waits."""

    name: str
    provider: str
    channel: str
    health: int
    oldest: float = 0.0


def state_of_account(health: int) -> ChannelState:
    """By its health alone."""
    if health <= 0:
        return ChannelState.OUTAGE
    return ChannelState.OPERATIONAL if health >= FULL else ChannelState.DEGRADED


def state_of(accounts: Sequence[AccountFacts]) -> ChannelState:
    """The state of a channel with these accounts: out when none of them takes messages, or when messages are stuck."""
    oldest = max((account.oldest for account in accounts), default=0.0)
    if oldest > STUCK or all(account.health <= 0 for account in accounts):
        return ChannelState.OUTAGE
    if oldest > LATE or any(account.health < FULL for account in accounts):
        return ChannelState.DEGRADED
    return ChannelState.OPERATIONAL


def state_of_looks(looks: int, degraded: int, outage: int) -> ChannelState | None:
    """The state of a past hour or day; None when nobody looked."""
    if outage >= FEWEST_LOOKS:
        return ChannelState.OUTAGE
    if degraded + outage >= FEWEST_LOOKS:
        return ChannelState.DEGRADED
    return ChannelState.OPERATIONAL if looks else None
