"""Connections to PostgreSQL: web processes share a bounded pool, a worker process keeps one."""

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
AT_ONCE = 20
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

    def ask(_: int) -> int:
        return tenant.api.call("GET", "/v1/recipients").status

    with ThreadPoolExecutor(AT_ONCE) as pool:
        asked = [pool.submit(ask, n) for n in range(REQUESTS)]
        for one in asked:
            assert one.result() == 200
            seen |= backends(database, "web")
    assert len(backends(database, "web")) <= POOL
    # over the whole run, not only at its end: a pool that opened and closed one a request would show here
    assert 0 < len(seen) <= POOL


def test_workers_keep_their_backends_over_three_hundred_tasks(
    site: Site, tenant: Tenant, sandbox: Sandbox, database: psycopg.Connection[tuple[int]]
) -> None:
    tenant.person("ann", f"{tenant.tag}ann")
    tenant.publish("order", "order-updates")
    tenant.ended(tenant.send("ann", "order"))
    before = backends(database, "engine")
    processes = sum(queue.concurrency * queue.nodes for queue in site.queues)
    for n in range(1, MESSAGES // 2):
        # one at a time, so that each is a task of its own on both channels
        tenant.send("ann", "order")
        until(lambda: sandbox.count() > n, f"push {n}")  # noqa: B023
    after = backends(database, "engine")
    assert before
    assert before <= after, "no task may close its process's backend; a process that had none yet opens one"
    # workers' pool processes, their parents and beat: one each at most
    assert len(after) <= processes + len(site.queues) + 3
