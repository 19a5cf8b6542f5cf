"""Whether an account takes most of what it is given: by the answers of the last seconds."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

import pytest

from notifier.delivery.accounts import recent_answers
from notifier.delivery.accounts.recent_answers import FEWEST, MOST_LOST, SECONDS, RecentAnswers
from notifier.vocabulary.verdicts import InDoubt, Permanent, Sent, Temporary, Throttled, Verdict

ONE, OTHER = uuid.uuid4(), uuid.uuid4()


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("good", "answered", "expected"),
    [
        (0, 0, False),
        (FEWEST - 1, FEWEST - 1, False),
        (FEWEST, FEWEST, True),
        (70, 100, True),
        (50, 100, False),
        (0, 100, False),
    ],
)
def test_most_of_enough_answers_must_be_good(good: int, answered: int, expected: bool) -> None:
    answers = RecentAnswers(Clock())
    answers.add(ONE, good, answered)
    assert answers.takes_most(ONE) is expected
    assert answers.takes_most(OTHER) is False


def test_old_answers_do_not_count() -> None:
    clock = Clock()
    answers = RecentAnswers(clock)
    answers.add(ONE, 100, 100)
    clock.now += SECONDS
    assert answers.takes_most(ONE), "they are of the last period"
    answers.add(ONE, 0, 300)
    assert not answers.takes_most(ONE)
    answers.add(ONE, 400, 400)
    clock.now += 2 * SECONDS
    assert not answers.takes_most(ONE)


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([Sent()] * 6 + [Temporary("busy")] * 4, True),
        ([Permanent("no such device", True)] * 6 + [Throttled(None, "x")] * 4, True),
        ([Sent()] * 6 + [Temporary("busy")] * 4 + [InDoubt("connection lost", True)] * 90, True),
        ([Sent()] * 6 + [Temporary("no stream came free", disconnected=True)] * 90, False),
        ([Sent()] * 40 + [InDoubt("no answer within the timeout")] * 60, False),
    ],
    ids=["errors", "refusals", "lost connections", "too few answers", "timeouts"],
)  # fmt: skip
def test_a_connection_that_ended_is_no_answer(verdicts: Sequence[Verdict], expected: bool) -> None:
    recent_answers.recent.clear()
    recent_answers.add_verdicts(ONE, verdicts)
    assert recent_answers.recent.takes_most(ONE) is expected


@pytest.mark.parametrize(
    ("answers", "seconds", "lost", "expected"),
    [
        (0, 0.0, MOST_LOST - 1, False),
        (0, 0.0, MOST_LOST, True),
        (1, 1.0, 500, False),
        (1, 2 * SECONDS, MOST_LOST - 1, False),
        (1, 2 * SECONDS, MOST_LOST, True),
    ],
    ids=["few", "enough", "others are answered", "few since the answer", "no answer lately"],
)
def test_an_account_only_loses_when_nothing_is_answered(
    answers: int, seconds: float, lost: int, expected: bool
) -> None:
    clock = Clock()
    recent = RecentAnswers(clock)
    recent.add_lost(ONE, 500)
    if answers:
        recent.add(ONE, answers, answers)  # what was lost before counts no more
    else:
        recent.clear()
    clock.now += seconds
    for _ in range(lost):
        recent.add_lost(ONE, 1)
    assert recent.only_loses(ONE) is expected
    assert recent.only_loses(OTHER) is False
