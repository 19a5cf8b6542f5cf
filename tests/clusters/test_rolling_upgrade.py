"""A migration that only adds is applied while messages leave: processes that know nothing of it, and have prepared
their statements before it, go on, and are replaced one after the other. docs/upgrading.md has the rule."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial

import psycopg
import pytest
from psycopg import errors

from notifier.local.processes.run_parallel import run_parallel
from tests.clusters.site import ClusterSite
from tests.flows.sandbox import Sandbox
from tests.flows.tenant import Tenant
from tests.flows.wait import until

COUNT = 3_000
LATENCY_MS = 700
#: queues whose workers arm and send the messages of this test
PREPARING = {"batch", "push", "push.bulk", "in_app", "in_app.bulk"}
#: tables that every message writes or reads, and whose statements the processes have prepared or cached
TABLES = (
    "notifier_delivery", "notifier_deliveryevent", "notifier_notification", "notifier_orderingqueue",
    "notifier_provideraccount", "campaigns_campaign", "campaigns_shard", "inbox_inboxmessage", "inbox_feed",
    "tenants_recipient", "tenants_device", "tenants_preference", "tenants_apikey", "tenants_tenant",
)  # fmt: skip
EXPAND = (
    *(f"ALTER TABLE {table} ADD COLUMN of_next_version text" for table in TABLES),
    *(f"ALTER TABLE {table} ADD COLUMN counted_next int NOT NULL DEFAULT 0" for table in TABLES),
    "CREATE TABLE upgrade_next (id bigint PRIMARY KEY, tenant_id uuid REFERENCES tenants_tenant)",
    "CREATE INDEX CONCURRENTLY upgrade_recipient ON tenants_recipient (tenant_id, of_next_version)",
    "CREATE INDEX CONCURRENTLY upgrade_shard ON campaigns_shard (campaign_id, of_next_version)",
)
UNDO = (
    "DROP TABLE IF EXISTS upgrade_next",
    *(f"ALTER TABLE {table} DROP COLUMN IF EXISTS of_next_version" for table in TABLES),
    *(f"ALTER TABLE {table} DROP COLUMN IF EXISTS counted_next" for table in TABLES),
)


def apply(cluster: ClusterSite, statements: tuple[str, ...]) -> None:
    """Each statement by itself, again until it gets its lock: nobody waits behind it for longer than a second."""
    with cluster.engine() as engine:
        engine.execute("SET lock_timeout = '1s'")
        for statement in statements:
            until(lambda statement=statement: _applied(engine, statement), statement)  # type: ignore[misc]


def _applied(engine: psycopg.Connection[tuple[object, ...]], statement: str) -> bool:
    with suppress(errors.LockNotAvailable, errors.DeadlockDetected):
        if "CONCURRENTLY" in statement:
            # a try that did not get its locks leaves an index that is not valid
            engine.execute(f"DROP INDEX IF EXISTS {statement.split()[3]}".encode())
        engine.execute(statement.encode())
        return True
    return False


@pytest.fixture(autouse=True)
def _schema_as_before(cluster: ClusterSite) -> Iterator[None]:
    yield
    cluster.own_env.pop("web", None)
    apply(cluster, UNDO)
    cluster.start("web", "beat", *(f"worker:{queue.name}" for queue in cluster.queues))


@pytest.fixture
def _statements_are_prepared(cluster: ClusterSite) -> None:
    """Behind the pooler no process prepares any, so those of this test go past it until they are replaced."""
    direct = cluster.past_the_pooler
    for queue in cluster.queues:
        if queue.name in PREPARING:
            cluster.stop(f"worker:{queue.name}")
            run_parallel([partial(cluster.start_varied, node, direct) for node in queue.workers])
    cluster.own_env["web"] = direct
    cluster.restart("web")


@pytest.mark.usefixtures("_statements_are_prepared")
def test_old_processes_go_on_with_the_new_schema(cluster: ClusterSite, tenant: Tenant, sandbox: Sandbox) -> None:
    tenant.import_people(tenant.people(COUNT))
    tenant.publish("offer", "promotions")
    tenant.publish("order", "order-updates")
    campaign = tenant.draft("offer", tenant.everybody())
    campaign.arm()
    sandbox.faults(latency_ms=LATENCY_MS)
    sent = [tenant.send(f"u{n}", "order", channels=["push"]) for n in range(5)]
    campaign.go()
    until(lambda: sandbox.count() >= 100, "the first pushes")
    with ThreadPoolExecutor(1) as beside:
        migration = beside.submit(apply, cluster, EXPAND)
        while not migration.done():
            sent.append(tenant.send(f"u{len(sent) % COUNT}", "order", channels=["push"]))
        migration.result()
    # the next campaign is armed by old workers, and new ones take over while it leaves
    after = tenant.draft("offer", tenant.everybody())
    after.arm()
    after.go()
    until(lambda: after.results()["channels"]["in_app"]["delivered"] >= 100, "the first inboxes of the next campaign")
    for queue in cluster.queues:
        cluster.restart(f"worker:{queue.name}")
    cluster.restart("beat")
    del cluster.own_env["web"]
    cluster.restart("web")
    sent += [tenant.send(f"u{n}", "order", channels=["push"]) for n in range(5)]

    for one in (campaign, after):
        results = one.wait_until_finished()
        assert (results["channels"]["push"]["sent"], results["in_doubt"]) == (COUNT, 0)
        assert results["channels"]["in_app"]["delivered"] == COUNT
    assert {tenant.wait_until_final(notification)["push"] for notification in sent} == {"sent"}
    arrivals = {(arrival.address, arrival.delivery) for arrival in sandbox.arrivals(tenant.tag)}
    # a worker that did not end in time may have repeated messages, with the same collapse key
    assert len(arrivals) == 2 * COUNT + len(sent)
