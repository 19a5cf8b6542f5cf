"""A campaign on two channels, of which the provider leaves one push in twenty without an answer."""

from __future__ import annotations

from typing import Any

import pytest

from tests.flows.sandbox import Sandbox
from tests.flows.tenant import Campaign, Person, Tenant
from tests.flows.wait import until

COUNT, BAD = 1_000, 50


def a_campaign(tenant: Tenant, fate: str) -> Campaign:
    people = tenant.people(COUNT)
    every = COUNT // BAD
    mixed = [Person(p.external_id, f"{p.token}-{fate}" if n % every == 0 else p.token) for n, p in enumerate(people)]
    tenant.import_people(mixed)
    tenant.publish("offer", "promotions")
    campaign = tenant.draft("offer", tenant.everybody())
    campaign.arm()
    return campaign


def push(campaign: Campaign) -> dict[str, Any]:
    found: dict[str, Any] = campaign.results()["channels"]["push"]
    return found


@pytest.mark.parametrize("fate", ["reset", "slow"])
def test_only_the_message_without_an_answer_is_in_doubt(tenant: Tenant, sandbox: Sandbox, fate: str) -> None:
    """A stream that is reset, or hangs for longer than the timeout, costs its neighbours on the connection nothing."""
    sandbox.faults(slow_ms=60_000)
    campaign = a_campaign(tenant, fate)
    campaign.go()
    until(lambda: push(campaign)["sent"] == COUNT - BAD, "the others")
    until(lambda: campaign.results()["channels"]["in_app"]["delivered"] == COUNT, "the inboxes")
    seen = campaign.see()
    assert (seen["state"], seen["halted"], seen["halted_channels"]) == ("running", "", {})
    campaign.press("stop")
    ended = until(lambda: (now := push(campaign))["sending"] == now["queued"] == 0 and now, "the end") or {}
    assert (ended["sent"], ended["unknown"], ended["failed"]) == (COUNT - BAD, BAD, 0)


def test_connections_that_are_cut_halt_nothing(tenant: Tenant, sandbox: Sandbox) -> None:
    """What a cut connection took with it is tried again, and is no error meanwhile."""
    campaign = a_campaign(tenant, "hangup")
    campaign.go()
    until(lambda: campaign.results()["channels"]["in_app"]["delivered"] == COUNT, "the inboxes")
    # each cut takes what was on that connection, so that some are tried for the third time after half a minute
    until(lambda: push(campaign)["sent"] >= COUNT // 2, "half of them")
    seen = campaign.see()
    assert (seen["state"], seen["halted"], seen["halted_channels"]) == ("running", "", {})
    campaign.press("stop")
    ended = until(lambda: (now := push(campaign))["sending"] == now["queued"] == 0 and now, "the end") or {}
    assert (ended["sent"] + ended["unknown"], ended["failed"], ended["cancelled"]) == (COUNT, 0, 0)
    assert ended["unknown"] >= BAD
    arrived = {address for address in sandbox.addresses(tenant.tag) if not address.endswith("-hangup")}
    assert len(arrived) >= ended["sent"]


def test_a_channel_that_fails_pauses_alone_and_goes_on_when_it_was_mended(tenant: Tenant, sandbox: Sandbox) -> None:
    campaign = a_campaign(tenant, "ok")
    sandbox.faults(error_rate=0.6)
    campaign.go()
    until(lambda: campaign.see()["halted_channels"], "push to pause itself")
    until(lambda: campaign.results()["channels"]["in_app"]["delivered"] == COUNT, "the inboxes")
    seen = campaign.reached("paused")  # nothing but push is left
    assert seen["halted_channels"].keys() == {"push"}
    assert "failed; the limit is 20 %" in seen["halted"] and seen["halted"].startswith("push: ")
    assert tenant.recorded("campaign.halted", campaign.id) == 1
    sandbox.faults(error_rate=0)
    assert campaign.press("resume").json == {"resumed": True, "state": "running"}
    ended = campaign.finished()["channels"]
    assert (ended["push"]["sent"], ended["in_app"]["delivered"]) == (COUNT, COUNT)
    assert set(sandbox.addresses(tenant.tag).values()) == {1}
