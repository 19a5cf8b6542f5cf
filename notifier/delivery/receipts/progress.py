"""How far a message has come, as far as providers report it. Pure.

    sent < undelivered < delivered < soft bounce < hard bounce < opened < clicked < complained

A message keeps the highest step of all events, so that early, late, repeated and shuffled events end in the same state.
A bounce ranks above `delivered`, because a server may accept a message and return it later; and below `opened`, because
only a message that arrived can be opened. A message in doubt (`unknown`) ranks lowest: any event proves that the
provider took it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from notifier.vocabulary.receipts import EventKind, ReceiptEvent
from notifier.vocabulary.status import FINAL, Reason, Status


class Step(NamedTuple):
    """A final status with its reason."""

    status: Status
    reason: str = ""


_SENT, _DELIVERED = Step(Status.SENT), Step(Status.DELIVERED)
_SOFT, _HARD = Step(Status.BOUNCED, Reason.SOFT_BOUNCE), Step(Status.BOUNCED, Reason.HARD_BOUNCE)
UNDELIVERED = Step(Status.FAILED, Reason.UNDELIVERED)
#: in ascending order
_STEPS = (
    _SENT, UNDELIVERED, _DELIVERED, _SOFT, _HARD, Step(Status.OPENED), Step(Status.CLICKED), Step(Status.COMPLAINED),
)  # fmt: skip
_RANK = {step: rank for rank, step in enumerate(_STEPS, start=1)}

_STEP_OF = {
    EventKind.SENT: _SENT,
    EventKind.DEFERRED: _SENT,
    EventKind.DELIVERED: _DELIVERED,
    EventKind.OPENED: Step(Status.OPENED),
    EventKind.CLICKED: Step(Status.CLICKED),
    EventKind.FAILED: UNDELIVERED,
    EventKind.COMPLAINED: Step(Status.COMPLAINED),
    # the recipient used a link or a header of the message
    EventKind.UNSUBSCRIBED: _DELIVERED,
}


def is_of_a_machine(event: ReceiptEvent) -> bool:
    """Whether a scanner or a prefetcher opened the message or followed a link, and not a person."""
    return event.machine and event.kind in (EventKind.OPENED, EventKind.CLICKED)


def step_of(event: ReceiptEvent) -> Step | None:
    """The step that the event proves; None for an event about an address only. A scanner that opens a message proves
    that the message arrived, and no more."""
    if is_of_a_machine(event):
        return _DELIVERED
    if event.kind is EventKind.BOUNCED:
        return _HARD if event.permanent else _SOFT
    return _STEP_OF.get(event.kind)


def must_wait(status: Status) -> bool:
    """Whether a receipt must wait: the message may still be sent, or its outcome is in a shard of a campaign."""
    return status not in FINAL


def next_step(current: Step, events: Iterable[ReceiptEvent]) -> Step | None:
    """The step of a message after these events; None when they change nothing. A message that was not sent (failed,
    suppressed, cancelled, expired) stays as it is."""
    rank = 0 if current.status is Status.UNKNOWN else _RANK.get(current)
    if rank is None:
        return None
    steps = [step for event in events if (step := step_of(event))]
    highest = max(steps, key=_RANK.__getitem__, default=None)
    return highest if highest is not None and _RANK[highest] > rank else None
