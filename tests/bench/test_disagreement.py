"""A run of the bench fails when a sink's count differs from the ledger's."""

from __future__ import annotations

from dataclasses import replace

from bench import latency, uniqueness
from bench.campaign import ArmedCampaign, CampaignRun, time_shares
from bench.latency import Latency
from bench.record import disagreements
from bench.tenants import BenchTenant
from notifier.demo.client import Client

TENANT = BenchTenant("tenant", 100, Client("http://127.0.0.1"), "audience")


def run(sent: int, requests: int | None) -> CampaignRun:
    ledger = {"sent": sent, "failed": 100 - sent}
    return CampaignRun(ArmedCampaign("campaign", TENANT, 1.0, 1.0), requests, ledger, 1.0, None, {})


def test_sink_and_ledger_agree_to_the_message() -> None:
    assert disagreements(run(100, 100)) == []
    assert disagreements(run(100, None)) == []
    assert disagreements(run(100, 101)) == ["the sink had 101 requests, the ledger says 100 sent"]


def test_every_recipient_must_get_the_message() -> None:
    (problem,) = disagreements(run(99, 99))
    assert "'failed': 1" in problem


def test_the_sandbox_reports_duplicates_and_missing_messages() -> None:
    fine = {"recipients": 100, "sent": 100, "unique": 100, "duplicates": 0}
    assert uniqueness.disagreements(fine, {"sent": 100}) == []
    assert uniqueness.disagreements({**fine, "duplicates": 1}, {"sent": 100})
    assert uniqueness.disagreements({**fine, "unique": 99}, {"sent": 100})


def test_the_messages_of_a_stopped_campaign_add_up() -> None:
    seen = Latency(100, 1.0, 1.0, 0.0, 40, {"sent": 39, "unknown": 1, "cancelled": 60})
    assert latency.disagreements(seen) == []
    assert latency.disagreements(replace(seen, requests=41))
    assert latency.disagreements(replace(seen, requests=38))
    assert latency.disagreements(replace(seen, ledger={"sent": 40, "cancelled": 59}))


def test_a_campaign_that_slows_down_has_half_of_its_messages_early() -> None:
    steady, slowing = [(0.0, 10.0), (1.0, 10.0), (2.0, 10.0), (3.0, 10.0)], [(0.0, 30.0), (1.0, 6.0), (2.0, 4.0)]
    assert time_shares(steady, (0.5, 0.95, 1.0)) == [0.5, 0.95, 1.0]
    assert time_shares(slowing, (0.5, 0.95, 1.0)) == [0.22, 0.83, 1.0]
    assert time_shares([], (0.5,)) == [None]
