"""GO launches a campaign once, however often it is posted; a launched campaign cannot be edited; a stop ends
sending."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, repeat

import pytest

from tests.flows.admin import Browser, hidden_fields
from tests.flows.http import Answer
from tests.flows.sandbox import Sandbox
from tests.flows.tenant import Campaign, Tenant
from tests.flows.wait import until

PRESSES = 20
#: so slow that a stop comes in the middle of a batch of a shard, and no message of the batch ends within a second
SLOW_MS = 2_500


@pytest.fixture
def armed(tenant: Tenant) -> Callable[[int], Campaign]:
    """Makes an armed push campaign to `count` recipients."""

    def make(count: int) -> Campaign:
        tenant.import_people(tenant.people(count))
        tenant.publish("offer", "promotions")
        campaign = tenant.draft("offer", tenant.everybody(), ["push"])
        campaign.arm()
        return campaign

    return make


def test_twenty_concurrent_gos_launch_once(tenant: Tenant, sandbox: Sandbox, armed: Callable[[int], Campaign]) -> None:
    campaign = armed(300)
    page = f"/admin/campaigns/campaign/{campaign.id}/go/"
    owner = tenant.owner()
    fields = hidden_fields(owner.get(page).text)

    def by_admin() -> Answer:
        return Browser(owner.origin, dict(owner.cookies)).post(page, **fields)

    presses = chain.from_iterable(repeat((lambda: campaign.post("go"), by_admin), PRESSES // 2))
    with ThreadPoolExecutor(PRESSES) as pool:
        answers = [pressed.result() for pressed in [pool.submit(press) for press in presses]]

    over_api, over_admin = answers[0::2], answers[1::2]
    assert {a.status for a in over_api} == {200}
    assert {a.status for a in over_admin} == {302}
    launches = sum(a.json["launched"] for a in over_api)
    assert launches <= 1
    assert tenant.audit_count("campaign.go", campaign.id) == 1
    assert campaign.wait_until_finished()["sent"] == 300
    assert sandbox.addresses(tenant.tag) == {p.token: 1 for p in tenant.people(300)}
    assert campaign.post("go").json["launched"] is False
    assert tenant.audit_count("campaign.finished", campaign.id) == 1


def test_go_needs_an_armed_campaign_and_ends_editing(tenant: Tenant, sandbox: Sandbox) -> None:
    tenant.import_people(tenant.people(10))
    tenant.publish("offer", "promotions")
    campaign = tenant.draft("offer", tenant.everybody(), ["push"])
    early = campaign.post("go")
    assert (early.status, early.json["code"]) == (409, "not_armed")
    campaign.arm()
    for change, state in (({"name": "Another"}, "armed"), ({"data": {"season": "spring"}}, "draft")):
        edited = tenant.api.call("PATCH", f"/v1/campaigns/{campaign.id}", change)
        assert (edited.status, edited.json["state"]) == (200, state)
    assert campaign.post("go").status == 409
    campaign.arm()
    campaign.go()
    late = tenant.api.call("PATCH", f"/v1/campaigns/{campaign.id}", {"name": "A third"})
    assert (late.status, late.json["code"]) == (409, "already_launched")
    assert campaign.post("arm").status == 409
    assert campaign.wait_until_finished()["sent"] == 10
    assert campaign.read()["name"] == "Another"
    assert campaign.post("stop").status == 409
    assert set(sandbox.addresses(tenant.tag).values()) == {1}


def test_no_message_begins_a_second_after_a_stop_and_the_report_is_exact(
    tenant: Tenant, sandbox: Sandbox, armed: Callable[[int], Campaign]
) -> None:
    campaign = armed(4_000)
    sandbox.faults(latency_ms=SLOW_MS)
    campaign.go()
    until(lambda: sandbox.count() >= 100, "the first pushes")
    answer = campaign.post("stop")
    answered = time.time()
    assert (answer.status, answer.json["stopped"]) == (200, True)
    assert campaign.post("stop").json["stopped"] is False
    results = campaign.wait_until_settled()

    assert campaign.read()["state"] == "cancelled"
    arrivals = sandbox.arrivals(tenant.tag)
    late = [a for a in arrivals if a.at > answered + 1.0]
    assert late == [], f"{len(late)} of {len(arrivals)} began up to {late[-1].at - answered:.1f} s after the answer"
    push = results["channels"]["push"]
    assert push["sent"] == len(arrivals) == len({a.address for a in arrivals})
    assert push["cancelled_by_reason"] == {"stopped": 4_000 - len(arrivals)}
    assert (results["in_doubt"], len(arrivals) < 4_000) == (0, True)
