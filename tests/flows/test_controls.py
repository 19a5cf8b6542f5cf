"""Pause, canary, halt, speed limit and hold of a campaign, checked by what arrives at the provider."""

from __future__ import annotations

import time
from typing import Any

from tests.flows.sandbox import Sandbox
from tests.flows.tenant import Campaign, Tenant
from tests.flows.wait import until


def armed(tenant: Tenant, count: int, **settings: Any) -> Campaign:
    """An armed push campaign to `count` recipients."""
    tenant.import_people(tenant.people(count))
    tenant.publish("offer", "promotions")
    campaign = tenant.draft("offer", tenant.everybody(), ["push"])
    if settings:
        tenant.api.request_json("PATCH", f"/v1/campaigns/{campaign.id}", settings)
    campaign.arm()
    return campaign


def go(campaign: Campaign, rollout: str) -> None:
    answer = campaign.tenant.api.call("POST", f"/v1/campaigns/{campaign.id}/go", {"rollout": rollout})
    assert (answer.status, answer.json["launched"]) == (200, True), answer.text


def test_a_pause_holds_within_a_second_and_resume_sends_each_message_once(tenant: Tenant, sandbox: Sandbox) -> None:
    campaign = armed(tenant, 3_000)
    sandbox.faults(latency_ms=1_000)
    campaign.go()
    until(lambda: sandbox.count() >= 100, "the first pushes")
    assert campaign.post("pause").json == {"paused": True, "state": "paused"}
    answered = time.time()
    until(lambda: time.time() > answered + 4, "the messages in flight")  # longer than an answer takes
    arrived = sandbox.arrivals(tenant.tag)
    late = [a for a in arrived if a.at > answered + 1.0]
    assert late == [] and len(arrived) < 3_000
    assert sandbox.count() == len(arrived)
    assert campaign.read()["state"] == "paused"
    sandbox.faults(latency_ms=0)
    assert campaign.post("resume").json["resumed"] is True
    assert campaign.wait_until_finished()["sent"] == 3_000
    assert sandbox.addresses(tenant.tag) == {p.token: 1 for p in tenant.people(3_000)}
    steps = ("go", "pause", "resume")
    assert [tenant.audit_count(f"campaign.{step}", campaign.id) for step in steps] == [1, 1, 1]


def test_a_canary_is_sent_first_and_the_rest_follows_by_itself(tenant: Tenant, sandbox: Sandbox) -> None:
    campaign = armed(tenant, 600, canary_percent=10)
    sandbox.faults(latency_ms=1_500)
    go(campaign, "canary")
    until(lambda: sandbox.requests() >= 30, "the canary")
    assert sandbox.requests() <= 120, "more than the canary left before its result was known"
    assert campaign.wait_until_finished()["sent"] == 600
    assert campaign.read()["canary_passed_at"]
    assert set(sandbox.addresses(tenant.tag).values()) == {1}


def test_after_a_canary_with_wait_nothing_is_sent_until_a_resume(tenant: Tenant, sandbox: Sandbox) -> None:
    campaign = armed(tenant, 600, canary_percent=10)
    go(campaign, "canary_wait")
    shown = campaign.wait_for_state("paused")
    assert "canary" in shown["halted"]
    canary_size = sandbox.count()
    assert 20 <= canary_size <= 120
    campaign.post("resume")
    assert campaign.wait_until_finished()["sent"] == 600
    assert sandbox.addresses(tenant.tag) == {p.token: 1 for p in tenant.people(600)}


def test_a_failing_campaign_pauses_itself_and_continues_after_the_repair(tenant: Tenant, sandbox: Sandbox) -> None:
    campaign = armed(tenant, 4_000)
    sandbox.faults(error_rate=0.6)
    campaign.go()
    shown = campaign.wait_for_state("paused")
    assert "failed; the limit is 20 %" in shown["halted"]
    assert tenant.audit_count("campaign.halted", campaign.id) == 1
    assert sandbox.requests() < 4_000
    sandbox.faults(error_rate=0)
    campaign.post("resume")
    assert campaign.wait_until_finished()["sent"] == 4_000
    assert set(sandbox.addresses(tenant.tag).values()) == {1}


def test_a_speed_limit_holds_from_the_first_second(tenant: Tenant, sandbox: Sandbox) -> None:
    campaign = armed(tenant, 400, rate_per_s=100.0)
    campaign.go()
    campaign.wait_until_finished()
    arrived = sandbox.arrivals(tenant.tag)
    began = arrived[0].at
    for second in range(3):
        inside = sum(began + second <= a.at < began + second + 1 for a in arrived)
        assert inside <= 125, f"{inside} in second {second}"
    assert len(arrived) == 400
    assert 3.0 <= arrived[-1].at - began <= 8.0


def test_a_go_with_a_hold_can_be_taken_back_and_else_starts_by_itself(tenant: Tenant, sandbox: Sandbox) -> None:
    campaign = armed(tenant, 20, hold_seconds=3)
    campaign.go()
    assert campaign.read()["state"] == "launching"
    assert campaign.post("take_back").json == {"taken_back": True, "state": "armed"}
    went_at = time.time()
    campaign.go()
    assert campaign.post("go").json == {"launched": False, "state": "launching"}
    assert campaign.wait_until_finished()["sent"] == 20
    arrived = sandbox.arrivals(tenant.tag)
    assert len(arrived) == 20
    assert arrived[0].at >= went_at + 2.5
    assert [tenant.audit_count(f"campaign.{step}", campaign.id) for step in ("go", "take_back", "launched")] == [
        2,
        1,
        1,
    ]
