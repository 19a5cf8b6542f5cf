"""What becomes of the next step, by what the ledger says: as a table."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from notifier.delivery.routes.decide import Decision, StepRow, Verb, decide
from notifier.vocabulary.routes import RouteStep
from notifier.vocabulary.status import QueuePosition, Reason, Status

T0 = datetime(2030, 1, 31, 9, tzinfo=UTC)
NOW = T0 + timedelta(minutes=1)
SOON, LATE = T0 + timedelta(minutes=10), T0 + timedelta(minutes=10, seconds=1)
SEEN = (RouteStep(("push",)), RouteStep(("sms",), "10m", "seen"))
DELIVERED = (RouteStep(("push",)), RouteStep(("sms",), "10m", "delivered"))
THREE = (*DELIVERED, RouteStep(("email",), "1h", "seen"))


def row(status: Status, step: int = 1, **values: Any) -> StepRow:
    defaults = {"due_at": T0, "settled_at": T0 if status >= Status.SENT else None}
    return StepRow(step, status, **{**defaults, **values})


def later(step: int = 2) -> StepRow:
    return row(Status.QUEUED, step, position=QueuePosition.LATER_STEP)


def held(until: datetime, step: int = 1) -> StepRow:
    return row(Status.QUEUED, step, position=QueuePosition.PARKED, due_at=until)


FAILED = [
    row(Status.FAILED, reason=Reason.REJECTED),
    row(Status.FAILED, reason=Reason.UNDELIVERED),
    row(Status.BOUNCED, reason=Reason.HARD_BOUNCE),
    row(Status.BOUNCED, reason=Reason.SOFT_BOUNCE, was_delivered=True),
    row(Status.SUPPRESSED, reason=Reason.NO_ADDRESS),
    row(Status.EXPIRED, reason=Reason.NOT_AFTER),
    row(Status.UNKNOWN, reason=Reason.IN_DOUBT),
]


@pytest.mark.parametrize("number", range(len(FAILED)))
def test_a_step_that_failed_for_good_starts_the_next_one_at_once(number: int) -> None:
    assert decide(SEEN, 1, [FAILED[number], later()], NOW) == Decision(Verb.START, 2, detail="step 1 failed")


def test_one_of_two_messages_that_failed_is_no_failed_step() -> None:
    rows = [FAILED[0], row(Status.SENT), later()]
    assert decide(SEEN, 1, rows, NOW) == Decision(Verb.WAIT, at=SOON)


@pytest.mark.parametrize(
    "values",
    [
        {"status": Status.SENT},
        {"status": Status.DELIVERED},
        {"status": Status.UNKNOWN, "reason": Reason.IN_DOUBT, "may_report": True},
        {"status": Status.QUEUED, "attempt": 2, "retried_at": T0},
        {"status": Status.FAILED, "settled_at": NOW, "retried_at": T0, "reason": Reason.EXHAUSTED, "two": True},
    ],
)
def test_what_left_and_was_not_seen_is_waited_for_and_no_longer(values: dict[str, Any]) -> None:
    others = [row(Status.SENT, settled_at=NOW)] if values.pop("two", False) else []
    rows = [row(**values), *others, later()]
    assert decide(SEEN, 1, rows, NOW) == Decision(Verb.WAIT, at=SOON)
    assert decide(SEEN, 1, rows, LATE).verb is Verb.START


@pytest.mark.parametrize(
    "values",
    [
        {"status": Status.OPENED},
        {"status": Status.CLICKED},
        {"status": Status.COMPLAINED},
        {"status": Status.DELIVERED, "was_seen": True},
    ],
)
@pytest.mark.parametrize("route", [SEEN, DELIVERED], ids=["seen", "delivered"])
def test_what_was_seen_stops_the_rest(route: Any, values: dict[str, Any]) -> None:
    for now in (NOW, LATE):
        assert decide(route, 1, [row(**values), later()], now).verb is Verb.STOP


def test_what_was_delivered_keeps_a_step_from_leaving_that_asks_for_no_more() -> None:
    rows = [row(Status.DELIVERED), later()]
    assert decide(DELIVERED, 1, rows, NOW) == Decision(Verb.WAIT, at=SOON)
    assert decide(DELIVERED, 1, rows, LATE).verb is Verb.SKIP
    assert decide(DELIVERED, 1, [row(Status.SENT), later()], LATE).verb is Verb.START


def test_the_step_after_one_that_was_skipped_counts_from_the_last_one_that_left() -> None:
    skipped = row(Status.SUPPRESSED, 2, reason=Reason.NOT_NEEDED, settled_at=LATE)
    rows = [row(Status.DELIVERED), skipped, later(3)]
    assert decide(THREE, 2, rows, LATE) == Decision(Verb.WAIT, at=T0 + timedelta(hours=1))
    assert decide(THREE, 2, rows, T0 + timedelta(hours=1)).verb is Verb.START


def test_a_step_that_nothing_was_tried_of_is_waited_for() -> None:
    night = T0 + timedelta(hours=9)
    # right before the held message leaves, then as long as `after` says
    assert decide(SEEN, 1, [held(night), later()], NOW) == Decision(Verb.WAIT, at=night - timedelta(seconds=1))
    waits = decide(SEEN, 1, [held(night), later()], night - timedelta(seconds=1))
    assert waits == Decision(Verb.WAIT, at=night + timedelta(minutes=10))
    # due, and no worker has taken it yet
    behind = decide(SEEN, 1, [row(Status.QUEUED), later()], LATE)
    assert behind == Decision(Verb.WAIT, at=LATE + timedelta(minutes=10))


def test_a_held_later_step_is_stopped_when_an_earlier_one_is_seen() -> None:
    night = T0 + timedelta(hours=9)
    rows = [row(Status.DELIVERED), held(night, 2)]
    assert decide(SEEN, 2, rows, NOW) == Decision(Verb.WAIT, at=night - timedelta(seconds=1))
    seen = [row(Status.DELIVERED, was_seen=True), held(night, 2)]
    assert decide(SEEN, 2, seen, night - timedelta(seconds=1)) == Decision(
        Verb.STOP, 1, detail="step 1 reached the recipient"
    )
    sending = [row(Status.DELIVERED, was_seen=True), row(Status.SENDING, 2, attempt=1)]
    assert decide(SEEN, 2, sending, night).verb is Verb.END


def test_nothing_is_left_to_decide_after_the_last_step() -> None:
    assert decide(SEEN, 2, [row(Status.SENT), row(Status.SENT, 2)], LATE).verb is Verb.END
    assert decide(SEEN, 2, [row(Status.SENT), row(Status.CLAIMED, 2)], LATE).verb is Verb.WAIT
    assert decide(SEEN, 1, [row(Status.SENT), row(Status.SUPPRESSED, 2, reason=Reason.NO_ADDRESS)], LATE).verb in (
        Verb.END,
    )


def test_a_step_without_a_message_that_may_leave_is_reached_in_its_turn() -> None:
    no_phone = row(Status.SUPPRESSED, 2, reason=Reason.NO_ADDRESS)
    rows = [row(Status.SENT), no_phone, later(3)]
    assert decide(THREE, 1, rows, NOW) == Decision(Verb.WAIT, at=SOON)
    assert decide(THREE, 1, rows, LATE) == Decision(Verb.START, 2, detail="step 1 was not delivered after 10m")
    assert decide(THREE, 2, rows, LATE) == Decision(Verb.START, 3, detail="step 2 failed")
