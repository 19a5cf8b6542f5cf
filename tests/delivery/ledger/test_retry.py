"""The pure retry table."""

from __future__ import annotations

import pytest

from notifier.delivery.ledger.retry import SCHEDULE, Again, Decision, Settled, Tries, decide
from notifier.vocabulary.status import Reason, Status
from notifier.vocabulary.verdicts import InDoubt, Misconfigured, Permanent, Sent, Temporary, Throttled, Verdict

LAST = len(SCHEDULE) + 1
NO_ACCOUNT_FITS = Settled(Status.FAILED, Reason.MISCONFIGURED, "x", dead_letter=True)


def tries(made: int = 1, *, repeat: bool = True, other: bool = False, left: float | None = None) -> Tries:
    return Tries(made, repeat, other, left)


@pytest.mark.parametrize(
    ("verdict", "known", "expected"),
    [
        (Sent("ref"), tries(), Settled(Status.SENT, provider_ref="ref")),
        (Sent(final=True), tries(), Settled(Status.DELIVERED)),
        (Permanent("x"), tries(), Settled(Status.FAILED, Reason.REJECTED, "x")),
        (Permanent("x", True), tries(), Settled(Status.FAILED, Reason.DEAD_ADDRESS, "x", address_is_dead=True)),
        (InDoubt("x"), tries(repeat=False), Settled(Status.UNKNOWN, Reason.IN_DOUBT, "x")),
        (InDoubt("x"), tries(), Again(1.0, "x", in_doubt=True)),
        (Temporary("x"), tries(1), Again(1.0, "x")),
        (Temporary("x"), tries(2), Again(5.0, "x")),
        (Temporary("x"), tries(5), Again(600.0, "x")),
        (Temporary("x"), tries(LAST), Settled(Status.FAILED, Reason.EXHAUSTED, "x", dead_letter=True)),
        (Temporary("x"), tries(LAST, other=True), Again(0.0, "x", other_account=True)),
        (Temporary("x"), tries(LAST + 1, other=True), Settled(Status.FAILED, Reason.EXHAUSTED, "x", dead_letter=True)),
        (InDoubt("x"), tries(LAST), Settled(Status.UNKNOWN, Reason.IN_DOUBT, "x", dead_letter=True)),
        (Throttled(40.0, "x"), tries(1), Again(40.0, "x")),
        (Throttled(0.1, "x"), tries(2), Again(5.0, "x")),
        (Throttled(None, "x"), tries(1), Again(1.0, "x")),
        (Misconfigured("x"), tries(1), Again(1.0, "x")),
        (Misconfigured("x", one_address=True), tries(1, other=True), NO_ACCOUNT_FITS),
        (Misconfigured("x"), tries(1, other=True), Again(0.0, "x", other_account=True)),
        (Misconfigured("x"), tries(2, other=True), Again(5.0, "x", other_account=True)),
        (Temporary("x", unavailable=True), tries(1, other=True), Again(0.0, "x", other_account=True)),
        (Temporary("x", unavailable=True), tries(2, other=True), Again(5.0, "x", other_account=True)),
        (Temporary("x", unavailable=True), tries(1), Again(1.0, "x")),
        (Temporary("x"), tries(1, other=True), Again(1.0, "x")),
        (InDoubt("x"), tries(1, other=True), Again(1.0, "x", in_doubt=True)),
        (InDoubt("x"), tries(LAST, other=True), Settled(Status.UNKNOWN, Reason.IN_DOUBT, "x", dead_letter=True)),
        (Misconfigured("x"), tries(LAST), Settled(Status.FAILED, Reason.MISCONFIGURED, "x", dead_letter=True)),
        (Temporary("x"), tries(3, left=10), Settled(Status.EXPIRED, Reason.NOT_AFTER, "x")),
        (InDoubt("x"), tries(3, left=10), Settled(Status.UNKNOWN, Reason.IN_DOUBT, "x")),
        (Temporary("x"), tries(3, left=60), Again(30.0, "x")),
    ],
)
def test_what_a_verdict_means(verdict: Verdict, known: Tries, expected: Decision) -> None:
    assert decide(verdict, known) == expected


@pytest.mark.parametrize(("dice", "expected"), [(0.0, 4.0), (0.5, 5.0), (0.999999, 6.0)])
def test_jitter_spreads_retries_by_a_fifth_either_way(dice: float, expected: float) -> None:
    decision = decide(Temporary("x"), Tries(2, True, False, None, dice))
    assert isinstance(decision, Again)
    assert decision.wait == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize(
    ("verdict", "made", "takes_most", "wait"),
    [
        (Temporary("x"), 1, True, 1.0),
        (Temporary("x"), 2, True, 2.0),
        (Temporary("x"), 3, True, 4.0),
        (Temporary("x"), 4, True, 120.0),
        (Temporary("x"), 5, True, 600.0),
        (Temporary("x"), 5, False, 600.0),
        (InDoubt("x"), 3, True, 4.0),
        (InDoubt("x"), 4, True, 120.0),
        (InDoubt("x"), 4, False, 120.0),
        (Throttled(None, "x"), 1, True, 1.0),
        (Throttled(None, "x"), 2, True, 5.0),
        (Throttled(None, "x"), 3, True, 30.0),
        (Throttled(None, "x"), 5, True, 600.0),
        (Throttled(1.0, "x"), 3, True, 4.0),
        (Throttled(1.0, "x"), 5, True, 600.0),
        (Throttled(40.0, "x"), 3, True, 40.0),
        (Misconfigured("x"), 3, False, 30.0),
    ],
)
def test_an_account_that_takes_most_messages_is_tried_again_soon(
    verdict: Verdict, made: int, takes_most: bool, wait: float
) -> None:
    decision = decide(verdict, Tries(made, True, False, account_takes_most=takes_most))
    assert isinstance(decision, Again) and decision.wait == wait


@pytest.mark.parametrize(
    ("attempts", "bound"), [(4, 8.4), (LAST, 872.4)], ids=["the fourth attempt", "the last attempt"]
)
def test_attempts_at_such_an_account_begin_in_time(attempts: int, bound: float) -> None:
    waits = [
        decide(Temporary("x"), Tries(made, True, False, dice=1.0, account_takes_most=True))
        for made in range(1, attempts)
    ]
    assert sum(decision.wait for decision in waits if isinstance(decision, Again)) == pytest.approx(bound)
