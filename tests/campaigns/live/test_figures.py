"""From shards to the figures of the launch page."""

from __future__ import annotations

from typing import Any

import pytest

from campaigns.live.figures import (
    Counts,
    ShardRow,
    add_times,
    canary_figures,
    count_channels,
    count_workers,
    points_of,
    rate_now,
    seconds_left,
    spans_of,
    sum_counts,
)


def shard(channel: str = "push", **values: object) -> ShardRow:
    row = {"canary": False, "state": "done", "size": 100, "begun": 100, "sent": 100, "failed": 0, "requeued": 0}
    row |= {"worker": "one", "held": False, "began": 0.0, "ended": 1.0, "due": None, "stopped": False, **values}
    return ShardRow(channel=channel, **row)  # type: ignore[arg-type]


ROWS = [
    shard(sent=90, failed=4, requeued=6),
    shard(state="running", held=True, begun=50, sent=40, failed=1, began=1.0, ended=None, worker="two"),
    shard(state="armed", begun=0, sent=0, began=None, ended=None),
    shard("email", state="cancelled", begun=30, sent=29, stopped=True, began=0.5, ended=2.0),
]


def test_every_message_is_counted_once() -> None:
    channels = count_channels(ROWS)
    push, email = channels["push"], channels["email"]
    assert (push.sent, push.failed, push.in_flight, push.waiting) == (130, 5, 9, 150)
    # one began without an answer, and what never began was stopped
    assert (email.sent, email.failed, email.in_flight, email.waiting) == (29, 70, 1, 0)
    total = sum_counts(channels.values())
    assert total.total == 400 - 6
    assert total.percent == round(100 * 234 / 394, 1)


@pytest.mark.parametrize(("counts", "percent"), [
    (Counts(), 0.0), (Counts(sent=1), 100.0), (Counts(sent=999_999, waiting=1), 99.9), (Counts(waiting=3), 0.0),
])  # fmt: skip
def test_a_campaign_is_not_done_before_it_is(counts: Counts, percent: float) -> None:
    assert counts.percent == percent


def test_messages_a_second_are_those_of_the_shards() -> None:
    rows = [shard(began=0.0, ended=2.0), shard(began=2.0, ended=3.0), shard(began=5.0, ended=5.0)]
    spans = spans_of(rows, 6.0)
    assert points_of(spans, 6.0) == [(0.0, 50.0), (1.0, 50.0), (2.0, 100.0), (3.0, 0.0), (4.0, 0.0), (5.0, 100.0),
                                     (6.0, 100.0)]  # fmt: skip
    assert rate_now(spans, 6.0) == pytest.approx((50 + 100 + 100) / 5)


def test_a_long_campaign_has_few_points() -> None:
    spans = spans_of([shard(sent=3600, began=0.0, ended=3600.0)], 3600.0)
    points = points_of(spans, 3600.0)
    assert len(points) <= 122
    assert {rate for _, rate in points[:-2]} == {1.0}


def test_a_shard_that_a_pause_gave_back_sends_nothing_meanwhile() -> None:
    rows = [shard(began=0.0, ended=3.0), shard(state="armed", begun=50, sent=50, began=2.0, ended=None)]
    assert rate_now(spans_of(rows, 600.0), 600.0) == 0.0


def test_times_count_from_go_and_in_a_wave_from_when_it_was_due() -> None:
    channels, total = {"push": Counts(), "email": Counts()}, Counts()
    rows = [shard(began=0.0, ended=10.0), shard("email", began=100.0, ended=102.0, due=100.0)]
    add_times(channels, total, spans_of(rows, 200.0))
    assert channels["push"].p50 == pytest.approx(5_000, abs=300)
    assert channels["push"].p99 == pytest.approx(9_900, abs=300)
    assert channels["email"].p50 == pytest.approx(1_000, abs=100)
    assert total.p50 is not None
    assert channels["email"].p50 < total.p50 < channels["push"].p50  # type: ignore[operator]


@pytest.mark.parametrize(("rate", "state", "left"), [
    (10.0, "running", 15.0), (0.0, "running", None), (10.0, "paused", None),
])  # fmt: skip
def test_the_time_left_is_said_only_when_it_is_known(rate: float, state: str, left: float | None) -> None:
    assert seconds_left(Counts(sent=50, waiting=149, in_flight=1), rate, state) == left


def test_workers_are_processes_that_send_now() -> None:
    held: dict[str, Any] = {"state": "running", "held": True, "ended": None}
    rows = [shard(**held), shard(**held), shard(**held, worker="two"), shard("email", **held), shard(worker="old")]
    assert count_workers(rows) == {"email": 1, "push": 2}


def test_the_canary_is_counted_alone() -> None:
    rows = [shard(size=10, begun=10, sent=9, failed=1, canary=True), shard(begun=0, sent=0)]
    canary = canary_figures(rows, passed=False, waits=True)
    assert (canary.state, canary.counts.sent, canary.counts.failed, canary.counts.total) == ("waits", 9, 1, 10)
