"""What becomes of the next step of a route, by what the ledger says about the messages of earlier steps. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from notifier.values.duration import parse_duration
from notifier.vocabulary.routes import Route, Unless
from notifier.vocabulary.status import FINAL, QueuePosition, Reason, Status

#: the sweep looks at a message that quiet hours hold so long before it leaves: the recipient may have seen an earlier
#: step meanwhile
BEFORE_IT_LEAVES = timedelta(seconds=1)
#: the sweep looks again at a last step that nothing was tried of yet
LOOK_AGAIN = timedelta(seconds=30)

_SEEN = frozenset({Status.OPENED, Status.CLICKED, Status.COMPLAINED})
_ARRIVED = _SEEN | {Status.DELIVERED}
_LEFT = _ARRIVED | {Status.SENT}


@dataclass(frozen=True)
class StepRow:
    """What the ledger says about one message of a route."""

    step: int  #: from 1
    status: Status
    reason: str = ""
    position: int = QueuePosition.HAS_TURN
    attempt: int = 0
    due_at: datetime | None = None
    settled_at: datetime | None = None
    #: when the first attempt failed that another attempt followed
    retried_at: datetime | None = None
    #: the inbox showed the message, or the history has a step that only a person makes: read, opened, clicked
    was_seen: bool = False
    #: the history says that it arrived
    was_delivered: bool = False
    #: the provider may still say what became of a message in doubt
    may_report: bool = False

    @property
    def reached(self) -> bool:
        """Whether the recipient saw the message."""
        return self.was_seen or self.status in _SEEN

    @property
    def delivered(self) -> bool:
        return self.reached or self.status in _ARRIVED or (self.was_delivered and not self.failed)

    @property
    def failed(self) -> bool:
        """Whether the message failed for good: nothing can come of it any more."""
        if self.status == Status.UNKNOWN:
            return not self.may_report
        return self.status in FINAL and self.status not in _LEFT

    @property
    def stoppable(self) -> bool:
        """Whether the message waits, and nothing was tried."""
        return self.status == Status.QUEUED and self.attempt == 0

    @property
    def waits_for_step(self) -> bool:
        return self.status == Status.QUEUED and self.position == QueuePosition.LATER_STEP

    @property
    def tried_at(self) -> datetime | None:
        """When the message first left, or a first attempt failed; None while nothing was tried."""
        tried = self.status in _LEFT or self.status == Status.UNKNOWN or self.attempt > 0
        times = [at for at in (self.retried_at, self.settled_at if tried else None) if at is not None]
        return min(times, default=None)


class Verb(Enum):
    WAIT = "wait"  #: look again at `at`
    START = "start"  #: the messages of `step` leave
    SKIP = "skip"  #: `step` is not needed; the step after it may be
    STOP = "stop"  #: what waits of the steps after `step` is not needed
    END = "end"  #: nothing is left to decide


@dataclass(frozen=True)
class Decision:
    verb: Verb
    step: int = 0
    at: datetime | None = None
    detail: str = ""


def decide(route: Route, step: int, rows: Sequence[StepRow], now: datetime) -> Decision:
    """The decision for a route whose steps up to `step` have started or were skipped."""
    reached = min((row.step for row in rows if row.reached), default=0)
    if reached and any(row.stoppable and row.step > reached for row in rows):
        return Decision(Verb.STOP, reached, detail=f"step {reached} reached the recipient")
    if reached:
        return Decision(Verb.END)
    if not any(row.waits_for_step for row in rows):
        return _watch_last(step, rows, now)
    started = _last_started(step, rows)
    of_started = [row for row in rows if row.step == started]
    coming = route[step]
    if all(row.failed for row in of_started):
        return Decision(Verb.START, step + 1, detail=f"step {started} failed")
    at = _leaves_at(of_started, _after(coming.after), now)
    if at > now:
        return Decision(Verb.WAIT, at=_before_it_leaves(of_started, now) or at)
    if coming.unless == Unless.DELIVERED and any(row.delivered for row in of_started):
        return Decision(Verb.SKIP, step + 1, detail=f"step {started} was delivered")
    return Decision(Verb.START, step + 1, detail=f"step {started} was not {coming.unless} after {coming.after}")


def next_step_at(route: Route, step: int, rows: Sequence[StepRow], now: datetime) -> datetime | None:
    """When the step after `step` leaves unless something changes; None when no step waits. It may leave earlier (the
    step before fails) or later (the step before is held back)."""
    if step >= len(route) or not any(row.waits_for_step for row in rows):
        return None
    started = _last_started(step, rows)
    return _leaves_at([row for row in rows if row.step == started], _after(route[step].after), now)


def _last_started(step: int, rows: Sequence[StepRow]) -> int:
    """The newest step that was not skipped."""
    return max((row.step for row in rows if row.step <= step and row.reason != Reason.NOT_NEEDED), default=step)


def _after(text: str) -> timedelta:
    after = parse_duration(text)
    assert after is not None  # read_route has checked it
    return after


def _leaves_at(of_started: Sequence[StepRow], after: timedelta, now: datetime) -> datetime:
    """`after` counts from the first attempt of the step. Nothing was tried yet: the step's messages leave now at the
    earliest, or when they are due."""
    tried = [row.tried_at for row in of_started if row.tried_at is not None]
    if tried:
        return min(tried) + after
    due = [row.due_at for row in of_started if row.due_at is not None and not row.failed]
    return max(now, min(due, default=now)) + after


def _before_it_leaves(rows: Sequence[StepRow], now: datetime) -> datetime | None:
    """When to look at messages that are held until later: right before they leave; None if none is held so long."""
    if any(row.tried_at is not None for row in rows):
        return None
    due = [row.due_at - BEFORE_IT_LEAVES for row in rows if row.stoppable and row.due_at is not None]
    at = min(due, default=now)
    return at if at > now else None


def _watch_last(step: int, rows: Sequence[StepRow], now: datetime) -> Decision:
    """No step waits. The started one may be held back, and not be needed by then; after its first attempt nothing is
    left to decide."""
    held = [row for row in rows if row.step == step and row.status not in FINAL and row.tried_at is None]
    if step == 1 or not held:
        return Decision(Verb.END)
    return Decision(Verb.WAIT, at=_before_it_leaves(held, now) or now + LOOK_AGAIN)
