"""Percentiles, curves and tables: pure decisions over counts."""

from __future__ import annotations

from collections import Counter

import pytest

from campaigns.report import times
from campaigns.report.results import Totals
from campaigns.report.times import Point, Times
from campaigns.templatetags import figures
from notifier.vocabulary.status import TAKEN, Status


@pytest.mark.parametrize(
    ("histogram", "expected"),
    [
        ({}, Times()),
        ({7: 1}, Times(7, 7, 7, 7)),
        (dict.fromkeys(range(1, 101), 1), Times(50, 95, 99, 100)),
        ({5: 990, 1000: 9, 60_000: 1}, Times(5, 5, 5, 60_000)),
        ({5: 50, 6: 50}, Times(5, 6, 6, 6)),
    ],
)
def test_percentiles_are_nearest_rank(histogram: dict[int, int], expected: Times) -> None:
    assert times.times_of(histogram) == expected


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ((Status.ARMED, Status.QUEUED, Status.CLAIMED), Totals(waiting=3)),
        ((Status.SENDING, Status.UNKNOWN), Totals(in_doubt=2)),
        (TAKEN, Totals(sent=len(TAKEN))),
        ((Status.FAILED, Status.SUPPRESSED, Status.CANCELLED, Status.EXPIRED), Totals(not_sent=4)),
        (tuple(Status), Totals(sent=len(TAKEN), not_sent=4, in_doubt=2, waiting=3)),
    ],
)
def test_a_status_stands_in_one_sum(statuses: tuple[Status, ...], expected: Totals) -> None:
    totals = Totals()
    for status in statuses:
        totals.add(status, 1)
    assert totals == expected


@pytest.mark.parametrize("last_ms", [0, 999, 1000, 119_999, 120_000, 3_600_000, 86_400_000])
def test_a_curve_never_has_more_points_than_are_drawn(last_ms: int) -> None:
    curve = times.curve(Counter({0: 3}) + Counter({last_ms: 4}))
    assert len(curve) <= times.MAX_POINTS and sum(p.sent for p in curve) == 7
    assert curve[-1].sent >= 4


def test_a_short_curve_has_a_point_for_each_second() -> None:
    assert times.curve({100: 1, 900: 2, 2500: 5}) == [Point(0, 1, 3), Point(1, 1, 0), Point(2, 1, 5)]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "–"), (0, "0 s"), (0.42, "0.4 s"), (12, "12 s"), (400, "6 min 40 s"), (59.6, "60 s"), (7261, "2 h 1 min")],
)
def test_durations_read_as_people_say_them(seconds: float | None, text: str) -> None:
    assert figures.duration(seconds) == text
