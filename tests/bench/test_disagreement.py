"""A run fails when somebody counts something else than the ledger."""

from __future__ import annotations

from dataclasses import replace

from bench import latency, uniqueness
from bench.campaign import Armed, Run
from bench.latency import Latency
from bench.people import Crowd
from bench.record import wrong
from notifier.demo.client import Client

CROWD = Crowd("tenant", 100, Client("http://127.0.0.1"), "audience")


def run(sent: int, requests: int | None) -> Run:
    ledger = {"sent": sent, "failed": 100 - sent}
    return Run(Armed("campaign", CROWD, 1.0, 1.0), requests, ledger, 1.0, None, {})


def test_sink_and_ledger_agree_to_the_message() -> None:
    assert wrong(run(100, 100)) == []
    assert wrong(run(100, None)) == []
    assert wrong(run(100, 101)) == ["the sink had 101 requests, the ledger says 100 sent"]


def test_everybody_gets_theirs() -> None:
    (problem,) = wrong(run(99, 99))
    assert "'failed': 1" in problem


def test_the_sandbox_sees_what_came_twice_and_what_did_not_come() -> None:
    fine = {"recipients": 100, "sent": 100, "unique": 100, "duplicates": 0}
    assert uniqueness.wrong(fine, {"sent": 100}) == []
    assert uniqueness.wrong({**fine, "duplicates": 1}, {"sent": 100})
    assert uniqueness.wrong({**fine, "unique": 99}, {"sent": 100})


def test_what_was_stopped_is_accounted_for() -> None:
    seen = Latency(100, 1.0, 1.0, 0.0, 40, {"sent": 39, "unknown": 1, "cancelled": 60})
    assert latency.wrong(seen) == []
    assert latency.wrong(replace(seen, requests=41))
    assert latency.wrong(replace(seen, requests=38))
    assert latency.wrong(replace(seen, ledger={"sent": 40, "cancelled": 59}))
