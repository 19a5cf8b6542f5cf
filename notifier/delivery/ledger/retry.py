"""Decide what a provider's verdict means for a delivery: settled, or another attempt, and when. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from notifier.vocabulary.status import Reason, Status
from notifier.vocabulary.verdicts import (
    InDoubt,
    Misconfigured,
    Permanent,
    Sent,
    Temporary,
    Throttled,
    Verdict,
    Withdrawn,
)

#: seconds before attempts 2, 3, 4, 5, 6
SCHEDULE = (1.0, 5.0, 30.0, 120.0, 600.0)
#: the same for attempts 2, 3, 4 while the account takes most of what it is given: an error is of one message, or
#: chance. At 30 % of errors four attempts leave one message in a hundred, at 49 % one in seventeen. Attempts 5 and 6
#: are on SCHEDULE, so that they outlast an outage of a part of the provider: the last one begins a quarter of an hour
#: after the first answer at most
SOON = (1.0, 2.0, 4.0)
#: a row that waits longer than this for a retry gives up its queue's turn
HOLD_SECONDS = 30.0
_JITTER = 0.2


@dataclass(frozen=True)
class Settled:
    """The end of the delivery. `dead_letter`: its attempts are exhausted, and a person may want to look at it."""

    status: Status
    reason: str = ""
    detail: str = ""
    provider_ref: str = ""
    address_is_dead: bool = False
    dead_as_of: datetime | None = None
    dead_letter: bool = False
    #: seconds until the provider's server must be asked what became of the message; None: there is nothing to ask
    receipt_after: float | None = None


@dataclass(frozen=True)
class Again:
    """Another attempt in `wait` seconds; `other_account`: through another account, if the tenant has one."""

    wait: float
    detail: str
    other_account: bool = False
    #: this attempt may have arrived: an end before another answer must not say that it did not
    in_doubt: bool = False


Decision = Settled | Again


@dataclass(frozen=True)
class Tries:
    """The attempts so far, and what limits further ones. `made` includes the attempt of the verdict."""

    made: int
    repeat_when_in_doubt: bool
    other_account: bool  #: another account can take the message, and no earlier attempt is in doubt
    seconds_left: float | None = None  #: until `not_after`
    dice: float = 0.5  #: jitter, in [0, 1)
    account_takes_most: bool = False  #: of the messages of the last seconds


def decide_sent(verdict: Sent) -> Settled:
    """What `decide` says of this verdict, whatever the tries."""
    status = Status.DELIVERED if verdict.final else Status.SENT
    return Settled(status, provider_ref=verdict.provider_ref, receipt_after=verdict.receipt_after)


def decide(verdict: Verdict, tries: Tries) -> Decision:
    """The table of verdicts: permanent and temporary errors, the schedule, Retry-After, failover, the end."""
    match verdict:
        case Sent():
            return decide_sent(verdict)
        case Permanent(detail, dead, as_of):
            reason = Reason.DEAD_ADDRESS if dead else Reason.REJECTED
            return Settled(Status.FAILED, reason, detail, address_is_dead=dead, dead_as_of=as_of)
        case InDoubt(detail, _):
            if not tries.repeat_when_in_doubt:
                return Settled(Status.UNKNOWN, Reason.IN_DOUBT, detail)
            return _again(None, detail, tries, reason=Reason.IN_DOUBT)
        case Throttled(after, detail):
            # a provider that says no time has a limit of its own that lasts
            return _again(after, detail, tries, may_be_soon=after is not None)
        case Misconfigured(detail, one_address=True):
            return Settled(Status.FAILED, Reason.MISCONFIGURED, detail, dead_letter=True)
        case Misconfigured(detail):
            return _again(None, detail, tries, reason=Reason.MISCONFIGURED, move=tries.other_account)
        case Withdrawn(detail):
            return _again(None, detail, tries)
        case Temporary(detail, unavailable=unavailable):
            return _again(None, detail, tries, move=unavailable and tries.other_account)


def _again(
    after: float | None,
    detail: str,
    tries: Tries,
    *,
    reason: Reason = Reason.EXHAUSTED,
    move: bool = False,
    may_be_soon: bool = True,
) -> Decision:
    """`reason`: of the end, when no attempt is left. `move`: another account takes the message: the first time at once,
    later on the schedule, because that account may be away, too. `may_be_soon`: SOON holds where the account takes
    most messages."""
    in_doubt = reason is Reason.IN_DOUBT
    exhausted = tries.made > len(SCHEDULE)
    # a message in doubt stays with its account: only there a repeat carries a key that hides it
    may_move = tries.other_account and not in_doubt
    if exhausted and not (may_move and tries.made == len(SCHEDULE) + 1):
        if in_doubt:
            return Settled(Status.UNKNOWN, Reason.IN_DOUBT, detail, dead_letter=True)
        return Settled(Status.FAILED, reason, detail, dead_letter=True)
    if exhausted or (move and tries.made == 1):
        return Again(0.0, detail, other_account=True)
    is_soon = may_be_soon and tries.account_takes_most and tries.made <= len(SOON)
    steps = SOON if is_soon else SCHEDULE
    wait = max(steps[tries.made - 1] * (1 + _JITTER * (2 * tries.dice - 1)), after or 0.0)
    if tries.seconds_left is not None and wait > tries.seconds_left:
        if in_doubt:
            return Settled(Status.UNKNOWN, Reason.IN_DOUBT, detail)
        return Settled(Status.EXPIRED, Reason.NOT_AFTER, detail)
    return Again(wait, detail, other_account=move, in_doubt=in_doubt)
