"""The Valkey that Sentinel watches dies in the middle of a campaign: another one takes over, and nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.clusters.site import ClusterSite
from tests.flows.sandbox import Sandbox
from tests.flows.tenant import Tenant
from tests.flows.wait import until

COUNT = 3_000
#: slow answers, so that the campaign lasts longer than the failover
LATENCY_MS = 700


@pytest.fixture(autouse=True)
def _two_valkeys_again(cluster: ClusterSite) -> Iterator[None]:
    yield
    for port, child in cluster.valkey.valkeys.items():
        if child.pid is None:
            cluster.valkey.bring_back(port)


def fail_over(cluster: ClusterSite) -> None:
    """Kill the primary, and wait until the sentinels have made the other one the primary."""
    killed = cluster.valkey.kill_primary()
    until(lambda: cluster.valkey.primary() != killed, "a new primary")


def test_a_campaign_goes_on_when_the_primary_dies(cluster: ClusterSite, tenant: Tenant, sandbox: Sandbox) -> None:
    tenant.import_people(tenant.people(COUNT))
    tenant.publish("offer", "promotions")
    campaign = tenant.draft("offer", tenant.everybody())
    campaign.arm()
    sandbox.faults(latency_ms=LATENCY_MS)
    campaign.go()
    until(lambda: sandbox.count() >= 100, "the first pushes")
    fail_over(cluster)
    results = campaign.wait_until_finished()
    # no process of ours was killed, so nothing is repeated
    assert sandbox.addresses(tenant.tag) == {person.token: 1 for person in tenant.people(COUNT)}
    assert (results["channels"]["push"]["sent"], results["in_doubt"]) == (COUNT, 0)
    assert results["channels"]["in_app"]["delivered"] == COUNT


def test_an_open_inbox_gets_news_from_the_new_primary(cluster: ClusterSite, tenant: Tenant) -> None:
    tenant.person("ann", f"{tenant.tag}ann")
    tenant.publish("order", "order-updates")
    with tenant.inbox("ann").opened() as socket:
        tenant.send("ann", "order", channels=["in_app"])
        socket.receive("messages")
        fail_over(cluster)
        # accepted while Valkey is away or new: the ledger keeps it, and a sweep finds it
        sent = tenant.send("ann", "order")
        socket.receive("messages")
    assert tenant.wait_until_final(sent) == {"push": "sent", "in_app": "delivered"}


def test_the_site_is_ready_again(cluster: ClusterSite, tenant: Tenant) -> None:
    fail_over(cluster)

    def is_ready() -> bool:
        answer = tenant.api.call("GET", "/readyz")
        return answer.status == 200 and answer.json["checks"]["redis"] == "ok"

    until(is_ready, "/readyz to be 200")
