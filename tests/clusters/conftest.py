"""One site on servers that stand twice, for all tests of this folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from tests.clusters.pooler import find_pgbouncer
from tests.clusters.site import ClusterSite
from tests.flows.sandbox import Sandbox
from tests.flows.site import running
from tests.flows.tenant import Tenant


def missing(what: str) -> None:
    """In CI a missing program is a failure."""
    if os.environ.get("NOTIFIER_REQUIRE_CLUSTER") == "1":
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture(scope="package")
def cluster(request: pytest.FixtureRequest) -> Iterator[ClusterSite]:
    if find_pgbouncer() is None:
        missing("no pgbouncer (apt-get install pgbouncer)")
    with running(ClusterSite, "cluster", request.session) as site:
        yield site


@pytest.fixture
def sandbox(cluster: ClusterSite) -> Sandbox:
    """The sandbox, without arrivals and without injected faults."""
    cluster.sandbox.reset()
    return cluster.sandbox


@pytest.fixture(scope="package")
def new_tenant(cluster: ClusterSite) -> Callable[[], Tenant]:
    return lambda: Tenant(cluster, cluster.new_tenant())


@pytest.fixture
def tenant(new_tenant: Callable[[], Tenant], sandbox: Sandbox) -> Tenant:
    return new_tenant()
