"""The arithmetic of a campaign, on round figures of its own: new measurements must not break a test."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from campaigns.preflight import capacity
from campaigns.preflight.capacity import Figures, Goal, Pace, Plan, Quota
from notifier.errors import InvalidInput

ROUND = Figures(per_worker=10_000, streams=100, published=1_000, start=0.0, shard=1_000, chunk=500)


def planned(messages: int, seconds: float, round_trip_ms: float = 0.0) -> Plan:
    return capacity.plan(Goal(messages, seconds, round_trip_ms), ROUND)


@pytest.mark.parametrize(
    ("messages", "seconds", "round_trip_ms", "workers", "per_worker"),
    [
        (1, 1, 0, 1, 1),
        (10_000, 1, 0, 1, 1),
        (10_001, 1, 0, 2, 1),
        (100_000, 1, 0, 10, 1),
        # what is in flight is rate x round trip: 11,112/s for 0.1 s over 2 workers
        (10_000, 1, 100, 2, 6),
        (1_000_000, 100, 100, 2, 6),
        # twice as far away: twice as many connections
        (1_000_000, 100, 200, 2, 11),
    ],
)
def test_workers_follow_the_rate_and_connections_the_distance(
    messages: int, seconds: float, round_trip_ms: float, workers: int, per_worker: int
) -> None:
    plan = planned(messages, seconds, round_trip_ms)
    assert (plan.workers, plan.connections_per_worker) == (workers, per_worker)
    assert plan.connections == workers * per_worker


def test_the_answer_of_the_last_message_comes_in_time_too() -> None:
    assert planned(1_000, 1.5, 500).rate_per_s == 1_000


@pytest.mark.parametrize(
    ("messages", "seconds", "shards", "dispatchers"),
    [(999, 1, 1, 1), (4_000_000, 5, 4_000, 4), (4_000_000, 60, 4_000, 1)],
)
def test_wakeups_are_out_in_a_fifth_of_the_time(messages: int, seconds: float, shards: int, dispatchers: int) -> None:
    plan = planned(messages, seconds)
    assert (plan.shards, plan.dispatchers) == (shards, dispatchers)


@pytest.mark.parametrize(
    ("messages", "seconds", "fullest"), [(4_000_000, 5, 4_000_000), (4_000_000, 120, 2_000_000), (60, 60, 60)]
)
def test_a_quota_by_the_minute_counts_the_fullest_minute(messages: int, seconds: float, fullest: int) -> None:
    assert planned(messages, seconds).per_minute == fullest


def test_the_database_is_asked_a_few_times_a_shard_and_never_a_message() -> None:
    # a hundred connections a worker, so chunks are as large as they may be: two a shard
    plan = capacity.plan(Goal(1_000_000, 11, 1_000), ROUND)
    assert plan.connections_per_worker == 100
    assert plan.statements_per_s == 100 * (ROUND.per_shard + 2 * ROUND.per_chunk)


def test_with_few_connections_chunks_are_smaller_and_more() -> None:
    plan = planned(1_000_000, 10)
    assert plan.connections_per_worker == 1
    assert plan.statements_per_s == 100 * (ROUND.per_shard + 20 * ROUND.per_chunk)


def test_cost_is_constant_from_ten_thousand_to_a_hundred_million() -> None:
    plans = [planned(10_000 * 10**n, 10**n) for n in range(5)]
    assert len({(p.workers, p.statements_per_s, p.wal_mb_per_s) for p in plans}) == 1


@pytest.mark.parametrize(
    ("goal", "field", "expected_text"),
    [
        (Goal(0, 5), "recipients", "from 1"),
        (Goal(-4, 5), "recipients", "from 1"),
        (Goal(10**11, 5), "recipients", "10,000,000,000"),
        (Goal(1, 0), "seconds", "more than 0"),
        (Goal(1, float("nan")), "seconds", "more than 0"),
        (Goal(1, float("inf")), "seconds", "more than 0"),
        (Goal(1, 5, -1), "round_trip_ms", "60,000"),
        (Goal(1, 0.05), "seconds", "not enough for one message"),
    ],
)
def test_a_goal_out_of_range_is_refused_by_field(goal: Goal, field: str, expected_text: str) -> None:
    with pytest.raises(InvalidInput, match=expected_text) as refused:
        capacity.plan(goal)
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("per_s", "text"),
    [(10_000, "600 k/min"), (800_000, "48 M/min"), (5, "300/min"), (0.5, "30/min"), (20_833, "1.25 M/min")],
)
def test_rates_read_as_providers_say_them(per_s: float, text: str) -> None:
    assert capacity.rate(per_s) == text


@pytest.mark.parametrize(
    ("seconds", "quota", "expected_text"),
    [
        (5, Quota("this FCM project", 10_000, "ask Google"), "takes 6 min 40 s; ask Google."),
        (5, Quota("this account", 10_000), "takes 6 min 40 s."),
        (400, Quota("this FCM project", 10_000, "ask Google"), "which is enough."),
        (5, Quota("this account", None), "no limit of this account is known."),
    ],
)
def test_the_quota_is_asked_for_only_where_it_binds(seconds: float, quota: Quota, expected_text: str) -> None:
    assert capacity.describe_quota(planned(4_000_000, seconds), quota).endswith(expected_text)


def test_the_slowest_decides() -> None:
    assert capacity.slowest([]) is None
    assert capacity.slowest([Pace(1, "a"), Pace(3, "b"), Pace(2, "c")]) == Pace(3, "b")


# ---- the command -------------------------------------------------------------------------------------------------


def printed(**options: Any) -> str:
    out = StringIO()
    call_command("plan_capacity", stdout=out, **options)
    return out.getvalue()


def test_the_paper_plan_of_a_super_bowl() -> None:
    expected_text = printed(recipients=4_000_000, seconds=5.0)
    for part in ("4,000,000 messages in 5 s", "shards, published by", "600 k/min by default", "at least 30 days ahead"):
        assert part in expected_text


def test_less_than_eighteen_million_a_minute_is_asked_for_two_weeks_ahead() -> None:
    assert "at least 15 days ahead" in printed(recipients=1_000_000, seconds=60.0)


@pytest.mark.parametrize(
    ("options", "expected_text"),
    [
        ({"recipients": 0, "seconds": 5.0}, "--recipients: Must be a number from 1"),
        ({"recipients": 1, "seconds": 0.0}, "--seconds: Must be more than 0"),
        ({"recipients": 1, "seconds": 5.0, "round_trip_ms": -1.0}, "--round-trip-ms: Must be from 0"),
        ({"recipients": 1, "seconds": 5.0, "provider": "pigeon"}, "--provider: Unknown provider 'pigeon'"),
        ({"recipients": 1, "seconds": 5.0, "provider": "in_app"}, "--provider: in_app is built in"),
    ],
)
def test_bad_input_ends_with_two_and_a_sentence(options: dict[str, Any], expected_text: str) -> None:
    with pytest.raises(CommandError, match=expected_text) as refused:
        printed(**options)
    assert refused.value.returncode == 2
