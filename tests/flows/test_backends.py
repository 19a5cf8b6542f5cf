"""Connections to PostgreSQL: the requests of a web process share a bounded pool, a worker process keeps one
connection."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from tests.flows.sandbox import Sandbox
from tests.flows.site import Site
from tests.flows.tenant import Tenant
from tests.flows.wait import until

REQUESTS = 400
CONCURRENT = 20
#: settings.WEB_DATABASE_POOL
POOL = 20
MESSAGES = 300


@pytest.fixture
def database(site: Site) -> Iterator[psycopg.Connection[tuple[int]]]:
    with psycopg.connect(site.settings["DATABASE_URL"], autocommit=True) as connection:
        yield connection


def backends(database: psycopg.Connection[tuple[int]], role: str) -> set[int]:
    """The server processes that serve this role."""
    query = "SELECT pid FROM pg_stat_activity WHERE application_name = %s"
    return {pid for (pid,) in database.execute(query, [f"notifier-{role}"])}


def test_four_hundred_requests_share_the_pool(tenant: Tenant, database: psycopg.Connection[tuple[int]]) -> None:
    seen: set[int] = set()

    def request(_: int) -> int:
        return tenant.api.call("GET", "/v1/recipients").status

    with ThreadPoolExecutor(CONCURRENT) as pool:
        requests = [pool.submit(request, n) for n in range(REQUESTS)]
        for answer in requests:
            assert answer.result() == 200
            seen |= backends(database, "web")
    assert len(backends(database, "web")) <= POOL
    # counted over the whole run, so that a pool which opens and closes a connection for each request would fail here
    assert 0 < len(seen) <= POOL


def test_workers_keep_their_connections_over_three_hundred_tasks(
    site: Site, tenant: Tenant, sandbox: Sandbox, database: psycopg.Connection[tuple[int]]
) -> None:
    tenant.person("ann", f"{tenant.tag}ann")
    tenant.publish("order", "order-updates")
    tenant.wait_until_final(tenant.send("ann", "order"))
    before = backends(database, "engine")
    processes = sum(queue.concurrency * queue.nodes for queue in site.queues)
    for n in range(1, MESSAGES // 2):
        # one at a time, so that each has its own task on both channels
        tenant.send("ann", "order")
        until(lambda: sandbox.count() > n, f"push {n}")  # noqa: B023
    after = backends(database, "engine")
    assert before
    assert before <= after, "no task may close the connection of its process; a process without one opens one"
    # at most one for each pool process of a worker, each parent, and beat
    assert len(after) <= processes + len(site.queues) + 3
