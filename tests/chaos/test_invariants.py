"""What the judge of `make chaos` calls lost, repeated, stale and crossing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from notifier.vocabulary.status import Status
from tests.chaos.judging.invariants import Arrival, Facts, Message, judge

SENT = Message("0a-1", "acme", "push", "token-1", Status.SENT)
STORED = Message("0a-2", "acme", "in_app", "u1", Status.DELIVERED, in_inbox=True)
ARRIVED = Arrival("0A1", "push", "token-1", "ACME for Ann")
GOOD = Facts(
    expected=2,
    messages=[SENT, STORED],
    arrivals=[ARRIVED],
    words={"acme": "ACME", "other": "CANARY"},
    completions={"c": 1},
)


def facts(**changes: Any) -> Facts:
    return replace(GOOD, **changes)


def test_what_arrived_once_and_is_stored_is_whole() -> None:
    judgement = judge(GOOD)
    assert (judgement.problems, judgement.lost, judgement.duplicates) == ([], 0, 0)


@pytest.mark.parametrize(
    ("invariant", "changes"),
    [
        ("I1", {"arrivals": []}),
        ("I1", {"messages": [SENT]}),
        ("I1", {"messages": [SENT, STORED._replace(in_inbox=False)]}),
        ("I1", {"messages": [SENT._replace(status=Status.QUEUED), STORED], "arrivals": []}),
        ("I1", {"messages": [SENT._replace(status=Status.FAILED), STORED], "arrivals": []}),
        ("I1", {"messages": [SENT._replace(status=Status.CANCELLED), STORED]}),
        ("I1", {"arrivals": [ARRIVED, Arrival("0b9", "push", "token-9", "ACME")]}),
        ("I1", {"given_up": 1}),
        ("I2", {"arrivals": [ARRIVED, ARRIVED]}),
        ("I2", {"messages": [SENT._replace(status=Status.UNKNOWN), STORED]}),
        ("I3", {"completions": {"c": 0}}),
        ("I3", {"completions": {"c": 2}}),
        ("I4", {"violations": ["shard 1: a backend wrote that does not hold fence 3"]}),
        ("I5", {"strangers": {"delivery of another tenant's campaign": 1}}),
        ("I5", {"arrivals": [ARRIVED._replace(title="CANARY for Ann")]}),
        ("I5", {"arrivals": [ARRIVED._replace(address="token-2")]}),
        ("I6", {"inbox_gaps": 3}),
        ("I6", {"broken_chains": ["acme: row 7"]}),
    ],
    ids=[
        "sent and not arrived", "accepted and not in the ledger", "delivered and not in the inbox", "stuck",
        "failed without a cause", "cancelled and arrived", "arrived and unknown to the ledger", "never accepted",
        "repeated", "in doubt", "not completed", "completed twice", "stale fence", "row of another tenant",
        "text of another tenant", "another address", "gaps", "broken chain",
    ],
)  # fmt: skip
def test_each_break_names_its_invariant(invariant: str, changes: dict[str, Any]) -> None:
    problems = judge(facts(**changes)).problems
    assert problems and {problem.partition(":")[0] for problem in problems} == {invariant}


def test_what_killed_processes_had_begun_may_be_repeated() -> None:
    twice = facts(arrivals=[ARRIVED, ARRIVED], allowed=1)
    assert (judge(twice).problems, judge(twice).duplicates) == ([], 1)


def test_what_waits_for_a_later_time_is_not_lost() -> None:
    waits = SENT._replace(status=Status.QUEUED, due_later=True)
    assert judge(facts(messages=[waits, STORED], arrivals=[])).problems == []


def test_a_title_that_the_receiver_could_not_read_proves_nothing() -> None:
    assert judge(facts(arrivals=[ARRIVED._replace(title="")])).problems == []
