"""A campaign on two channels whose provider does not answer one push in twenty."""

from __future__ import annotations

from typing import Any

import pytest

from tests.flows.sandbox import Sandbox
from tests.flows.tenant import Campaign, Person, Tenant
from tests.flows.wait import until

COUNT, BAD = 1_000, 50


def armed_campaign(tenant: Tenant, fate: str) -> Campaign:
    every = COUNT // BAD
    people = [
        Person(p.external_id, f"{p.token}-{fate}" if n % every == 0 else p.token)
        for n, p in enumerate(tenant.people(COUNT))
    ]
    tenant.import_people(people)
    tenant.publish("offer", "promotions")
    campaign = tenant.draft("offer", tenant.everybody())
    campaign.arm()
    return campaign


def push(campaign: Campaign) -> dict[str, Any]:
    results: dict[str, Any] = campaign.results()["channels"]["push"]
    return results


@pytest.mark.parametrize("fate", ["reset", "slow"])
def test_only_the_message_without_an_answer_is_in_doubt(tenant: Tenant, sandbox: Sandbox, fate: str) -> None:
    """A stream that is reset, or exceeds the timeout, does not affect other streams of the connection."""
    sandbox.faults(slow_ms=60_000)
    campaign = armed_campaign(tenant, fate)
    campaign.go()
    until(lambda: push(campaign)["sent"] == COUNT - BAD, "the other pushes")
    until(lambda: campaign.results()["channels"]["in_app"]["delivered"] == COUNT, "the inboxes")
    seen = campaign.read()
    assert (seen["state"], seen["halted"], seen["halted_channels"]) == ("running", "", {})
    campaign.post("stop")
    ended = until(lambda: (now := push(campaign))["sending"] == now["queued"] == 0 and now, "the end") or {}
    assert (ended["sent"], ended["unknown"], ended["failed"]) == (COUNT - BAD, BAD, 0)


def test_cut_connections_halt_no_channel(tenant: Tenant, sandbox: Sandbox) -> None:
    """Messages that were lost with a connection are sent again, and do not count as errors meanwhile."""
    campaign = armed_campaign(tenant, "hangup")
    campaign.go()
    until(lambda: campaign.results()["channels"]["in_app"]["delivered"] == COUNT, "the inboxes")
    # each cut loses all messages of that connection, so some are sent a third time after half a minute
    until(lambda: push(campaign)["sent"] >= COUNT // 2, "half of the pushes")
    seen = campaign.read()
    assert (seen["state"], seen["halted"], seen["halted_channels"]) == ("running", "", {})
    campaign.post("stop")
    ended = until(lambda: (now := push(campaign))["sending"] == now["queued"] == 0 and now, "the end") or {}
    assert (ended["sent"] + ended["unknown"], ended["failed"], ended["cancelled"]) == (COUNT, 0, 0)
    assert ended["unknown"] >= BAD
    arrived = {address for address in sandbox.addresses(tenant.tag) if not address.endswith("-hangup")}
    assert len(arrived) >= ended["sent"]


def test_only_a_failing_channel_pauses_and_it_continues_after_the_repair(tenant: Tenant, sandbox: Sandbox) -> None:
    campaign = armed_campaign(tenant, "ok")
    sandbox.faults(error_rate=0.6)
    campaign.go()
    until(lambda: campaign.read()["halted_channels"], "push to pause itself")
    until(lambda: campaign.results()["channels"]["in_app"]["delivered"] == COUNT, "the inboxes")
    seen = campaign.wait_for_state("paused")  # only push is unfinished
    assert seen["halted_channels"].keys() == {"push"}
    assert "failed; the limit is 20 %" in seen["halted"] and seen["halted"].startswith("push: ")
    assert tenant.audit_count("campaign.halted", campaign.id) == 1
    sandbox.faults(error_rate=0)
    assert campaign.post("resume").json == {"resumed": True, "state": "running"}
    ended = campaign.wait_until_finished()["channels"]
    assert (ended["push"]["sent"], ended["in_app"]["delivered"]) == (COUNT, COUNT)
    assert set(sandbox.addresses(tenant.tag).values()) == {1}
