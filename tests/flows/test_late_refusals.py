"""A phone that registers while a refusal of its token is under way keeps its device, whoever has it by then."""

from __future__ import annotations

import pytest

from tests.flows.sandbox import Sandbox
from tests.flows.tenant import Tenant
from tests.flows.wait import until

#: long enough to register a device between the request's arrival and its answer
LATENCY_MS = 4000


def dead(tenant: Tenant, external_id: str) -> list[bool]:
    return [device["dead_since"] is not None for device in tenant.devices(external_id)]


@pytest.mark.parametrize("owner", ["bob", "zoe"], ids=["same person", "another person"])
def test_a_single_refusal_spares_what_registered_meanwhile(tenant: Tenant, sandbox: Sandbox, owner: str) -> None:
    token = f"{tenant.tag}bob-unregistered"
    tenant.person("bob", token)
    tenant.publish("order", "order-updates")
    sandbox.faults(latency_ms=LATENCY_MS)
    sent = tenant.send("bob", "order", channels=["push"])
    until(sandbox.requests, "the request to arrive")
    tenant.person(owner, token)
    assert tenant.ended(sent) == {"push": "failed"}
    assert dead(tenant, owner) == [False]
    sandbox.faults(latency_ms=0)
    assert tenant.ended(tenant.send(owner, "order", channels=["push"])) == {"push": "failed"}
    assert dead(tenant, owner) == [True]


@pytest.mark.parametrize("owner", ["u0", "zoe"], ids=["same person", "another person"])
def test_a_campaigns_refusal_spares_what_registered_meanwhile(tenant: Tenant, sandbox: Sandbox, owner: str) -> None:
    people = tenant.people(3, "unregistered")
    tenant.import_people(people)
    tenant.publish("offer", "promotions")
    campaign = tenant.draft("offer", tenant.everybody(), ["push"])
    campaign.arm()
    sandbox.faults(latency_ms=LATENCY_MS)
    campaign.go()
    until(lambda: sandbox.requests() == len(people), "the requests to arrive")
    tenant.person(owner, people[0].token)
    # the refusals are written into the devices together, when the campaign is accounted for
    until(lambda: dead(tenant, "u1") == dead(tenant, "u2") == [True], "the dead to be marked")
    assert dead(tenant, owner) == [False]
