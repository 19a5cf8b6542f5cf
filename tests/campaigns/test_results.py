"""Percentiles, curves and tables: pure decisions over counts."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from campaigns import preflight, times
from campaigns.admin.charts import sparkline
from campaigns.models import Campaign
from campaigns.preflight import Ready
from campaigns.times import Point, Times
from campaigns.templatetags import figures
from notifier.vocabulary import Mode
from tenants.models import Tenant

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("histogram", "times"),
    [
        ({}, Times()),
        ({7: 1}, Times(7, 7, 7, 7)),
        (dict.fromkeys(range(1, 101), 1), Times(50, 95, 99, 100)),
        ({5: 990, 1000: 9, 60_000: 1}, Times(5, 5, 5, 60_000)),
        ({5: 50, 6: 50}, Times(5, 6, 6, 6)),
    ],
)
def test_percentiles_are_nearest_rank(histogram: dict[int, int], times: Times) -> None:
    assert times.times_of(histogram) == times


@pytest.mark.parametrize("last_ms", [0, 999, 1000, 119_999, 120_000, 3_600_000, 86_400_000])
def test_a_curve_never_has_more_points_than_are_drawn(last_ms: int) -> None:
    curve = times.curve(Counter({0: 3}) + Counter({last_ms: 4}))
    assert len(curve) <= times.MAX_POINTS and sum(p.sent for p in curve) == 7
    assert curve[-1].sent >= 4


def test_a_short_curve_has_a_point_for_each_second() -> None:
    assert times.curve({100: 1, 900: 2, 2500: 5}) == [Point(0, 1, 3), Point(1, 1, 0), Point(2, 1, 5)]


def test_a_sparkline_has_a_bar_for_each_point_and_no_inline_style() -> None:
    svg = sparkline([Point(0, 1, 10), Point(1, 1, 0), Point(2, 1, 5)])
    assert svg.count("<rect") == 3 and "style=" not in svg and "0–1 s: 10 messages" in svg


def test_nothing_sent_draws_nothing() -> None:
    assert sparkline([]) == ""


def campaign(**columns: object) -> Campaign:
    tenant = Tenant(name="ACME", sandbox=False)
    return Campaign(tenant=tenant, **{"mode": Mode.LIVE, "armed_at": NOW, **columns})


@pytest.mark.parametrize(
    ("columns", "ready", "seconds", "said"),
    [
        ({}, [Ready("push", "a", "fcm", 10)], 0.0, []),
        ({"mode": Mode.TEST}, [], 0.0, ["test campaign"]),
        ({"excluded": {"no_address": 10}}, [Ready("push", "a", "fcm", 10)], 0.0, ["10 of 20 were left out"]),
        ({"excluded": {"no_address": 9}}, [Ready("push", "a", "fcm", 10)], 0.0, []),
        ({"armed_at": NOW - timedelta(hours=25)}, [], 0.0, ["Whoever joined since"]),
        ({"not_after": NOW + timedelta(minutes=5)}, [], 400.0, ["will expire"]),
        ({"not_after": NOW + timedelta(minutes=7)}, [], 400.0, []),
        ({}, [Ready("push", "main", "fcm", 1, None, False)], 0.0, ["account main is switched off"]),
    ],
)
def test_what_should_be_known_before_go(
    columns: dict[str, object], ready: list[Ready], seconds: float, said: list[str]
) -> None:
    found = preflight.warnings(campaign(**columns), ready, seconds, NOW)
    assert len(found) == len(said) and all(part in text for part, text in zip(said, found, strict=True))


def test_the_slowest_account_decides_how_long_it_takes() -> None:
    ready = [Ready("push", "a", "fcm", 4_000_000, 10_000.0), Ready("in_app", "b", "in_app", 9)]
    assert preflight.Preflight(9, {}, ready, []).seconds == 400.0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "–"), (0, "0 s"), (0.42, "0.4 s"), (12, "12 s"), (400, "6 min 40 s"), (59.6, "60 s"), (7261, "2 h 1 min")],
)
def test_durations_read_as_people_say_them(seconds: float | None, text: str) -> None:
    assert figures.duration(seconds) == text
