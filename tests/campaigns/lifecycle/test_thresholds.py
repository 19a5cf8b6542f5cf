"""When a campaign does harm, and how shards are split into chords: pure deciders."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import pytest

from campaigns.lifecycle.fan_out import fanout
from campaigns.lifecycle.running import thresholds
from campaigns.lifecycle.running.thresholds import OutcomeCounts


@dataclass(frozen=True)
class Limits:
    max_error_percent: int = 20
    max_dead_percent: int = 50
    audience_size: int = 1_000_000


@pytest.mark.parametrize(
    ("counts", "why"),
    [
        (OutcomeCounts(), ""),
        (OutcomeCounts(sent=1_000_000), ""),
        (OutcomeCounts(failed=199), ""),  # too few to say anything
        (OutcomeCounts(failed=200), "100 % of 200 messages failed; the limit is 20 %."),
        (OutcomeCounts(sent=800, failed=200), ""),  # at the limit, not over it
        (OutcomeCounts(sent=799, failed=201), "20.1 % of 1,000 messages failed; the limit is 20 %."),
        (OutcomeCounts(sent=799, requeued=201), "20.1 % of 1,000 messages failed; the limit is 20 %."),
        (OutcomeCounts(sent=799, failed=100, requeued=101), "20.1 % of 1,000 messages failed; the limit is 20 %."),
        (OutcomeCounts(sent=500, failed=500, dead=500), ""),  # dead addresses are no errors, and at their limit
        (OutcomeCounts(sent=499, failed=501, dead=501), "50.1 % of 1,000 addresses are dead; the limit is 50 %."),
        (OutcomeCounts(sent=300, failed=700, dead=450), "25 % of 1,000 messages failed; the limit is 20 %."),
        # what a cut connection took with it is neither a success nor an error
        (OutcomeCounts(sent=700, failed=40, requeued=260, skipped=260, disconnected=260), ""),
        (OutcomeCounts(sent=700, failed=150, requeued=260, skipped=260, disconnected=260), ""),
        (
            OutcomeCounts(sent=700, failed=200, requeued=260, skipped=260, disconnected=260),
            "22.2 % of 900 messages failed; the limit is 20 %.",
        ),
        # unless there is little else
        (OutcomeCounts(sent=400, requeued=1_599, skipped=1_599, disconnected=1_599), ""),
        (OutcomeCounts(sent=400, requeued=1_600, skipped=1_600, disconnected=1_600), ""),
        (
            OutcomeCounts(sent=399, requeued=1_601, skipped=1_601, disconnected=1_601),
            "The connections of 80 % of 2,000 messages ended before an answer came.",
        ),
    ],
)
def test_a_verdict(counts: OutcomeCounts, why: str) -> None:
    assert thresholds.reason_to_halt(counts, Limits()) == why


@pytest.mark.parametrize(
    ("audience", "sent", "lost", "halts"),
    [
        (1_000_000, 0, 1_999, False),
        (1_000_000, 0, 2_000, True),
        (1_500, 0, 1_499, False),
        (1_500, 0, 1_500, True),
        (1_500, 300, 1_200, False),
        (1_500, 299, 1_201, True),
        (200, 0, 200, True),
        (150, 0, 150, False),
    ],
)
def test_a_provider_that_ends_connections_halts_a_small_campaign_too(
    audience: int, sent: int, lost: int, halts: bool
) -> None:
    counts = OutcomeCounts(sent=sent, requeued=lost, skipped=lost, disconnected=lost)
    assert bool(thresholds.reason_to_halt(counts, Limits(audience_size=audience))) is halts
    assert not thresholds.reason_to_halt(counts, Limits(100, 100, audience)), "the actor has said that all may fail"


@pytest.mark.parametrize(
    ("newest_first", "least", "lost", "total"),
    [
        ([(0, 2_000), (500_000, 0)], 2_000, 2_000, 2_000),
        ([(0, 1_500), (0, 1_500), (500_000, 0)], 2_000, 3_000, 3_000),
        ([(0, 0), (10, 300)], 2_000, 300, 310),
        ([], 2_000, 0, 0),
    ],
    ids=["one", "two", "fewer", "none"],
)
def test_the_newest_outcomes_are_not_hidden_by_the_older_ones(
    newest_first: list[tuple[int, int]], least: int, lost: int, total: int
) -> None:
    newest = thresholds.first_of((OutcomeCounts(sent=s, requeued=n, disconnected=n) for s, n in newest_first), least)
    assert (newest.disconnected, newest.sent + newest.requeued) == (lost, total)


def test_the_reason_has_the_most_frequent_answer() -> None:
    counts, answers = OutcomeCounts(sent=100, failed=400, dead=100), Counter({"400 BadDeviceToken: x": 270, "y": 30})
    why = "60 % of 500 messages failed; the limit is 20 %."
    answer = " The most frequent answer (90 % of the failures): 400 BadDeviceToken: x."
    assert thresholds.reason_to_halt(counts, Limits(), answers=lambda: answers) == why + answer
    dead = OutcomeCounts(sent=100, failed=400, dead=400)
    assert "answer" not in thresholds.reason_to_halt(dead, Limits(), answers=lambda: answers)


def test_the_limits_are_the_campaigns_own() -> None:
    every = OutcomeCounts(failed=1_000, dead=500)
    assert thresholds.reason_to_halt(every, Limits(100, 100)) == ""
    assert "1 %" in thresholds.reason_to_halt(OutcomeCounts(sent=980, failed=20), Limits(1, 1))


def test_a_canary_is_judged_by_all_there_is() -> None:
    assert thresholds.reason_to_halt(OutcomeCounts(failed=1), Limits(), least=1)
    assert thresholds.reason_to_halt(OutcomeCounts(sent=4, failed=1), Limits(), least=1) == ""
    assert thresholds.reason_to_halt(OutcomeCounts(), Limits(), least=0) == ""


def test_since_leaves_out_what_was_known() -> None:
    assert thresholds.difference(OutcomeCounts(10, 5, 2, 1, 1, 2), OutcomeCounts(4, 3, 2, 0, 1, 1)) == OutcomeCounts(
        6, 2, 0, 1, 0, 1
    )


def test_waves_are_runs_of_ascending_numbers_with_gaps() -> None:
    numbers = [1, 2, 3, 1_001, 1_002, 2_001, 2_005]
    assert fanout.chord_ranges(numbers, 3) == [(1, 3), (1_001, 2_001), (2_005, 2_005)]
    assert fanout.chord_ranges(numbers, 100) == [(1, 2_005)]
    assert fanout.chord_ranges([], 3) == []
