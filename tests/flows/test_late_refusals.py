"""A device that is registered while a refusal of its token is under way stays usable, also for another recipient."""

from __future__ import annotations

import pytest

from tests.flows.sandbox import Sandbox
from tests.flows.tenant import Tenant
from tests.flows.wait import until

#: long enough to register a device between the request's arrival and its answer
LATENCY_MS = 4000


def is_dead(tenant: Tenant, external_id: str) -> list[bool]:
    return [device["dead_since"] is not None for device in tenant.devices(external_id)]


@pytest.mark.parametrize("owner", ["bob", "zoe"], ids=["same person", "another person"])
def test_the_refusal_of_a_single_message_spares_a_device_registered_meanwhile(
    tenant: Tenant, sandbox: Sandbox, owner: str
) -> None:
    token = f"{tenant.tag}bob-unregistered"
    tenant.person("bob", token)
    tenant.publish("order", "order-updates")
    sandbox.faults(latency_ms=LATENCY_MS)
    sent = tenant.send("bob", "order", channels=["push"])
    until(sandbox.requests, "the request to arrive")
    tenant.person(owner, token)
    assert tenant.wait_until_final(sent) == {"push": "failed"}
    assert is_dead(tenant, owner) == [False]
    sandbox.faults(latency_ms=0)
    assert tenant.wait_until_final(tenant.send(owner, "order", channels=["push"])) == {"push": "failed"}
    assert is_dead(tenant, owner) == [True]


@pytest.mark.parametrize("owner", ["u0", "zoe"], ids=["same person", "another person"])
def test_the_refusal_of_a_campaigns_message_spares_a_device_registered_meanwhile(
    tenant: Tenant, sandbox: Sandbox, owner: str
) -> None:
    people = tenant.people(3, "unregistered")
    tenant.import_people(people)
    tenant.publish("offer", "promotions")
    campaign = tenant.draft("offer", tenant.everybody(), ["push"])
    campaign.arm()
    sandbox.faults(latency_ms=LATENCY_MS)
    campaign.go()
    until(lambda: sandbox.requests() == len(people), "the requests to arrive")
    tenant.person(owner, people[0].token)
    # accounting marks the devices of all refused tokens together
    until(lambda: is_dead(tenant, "u1") == is_dead(tenant, "u2") == [True], "the devices to be marked as dead")
    assert is_dead(tenant, owner) == [False]
