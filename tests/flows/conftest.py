"""One site for all flow tests, and a new tenant for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.flows.sandbox import Sandbox
from tests.flows.site import Site, running
from tests.flows.tenant import Tenant
from tests.flows.two_tenants import Side

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.flow)


@pytest.fixture(scope="package")
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """Ends with the last flow of this process: some thirty idle processes cost a sixth of a core."""
    with running(Site, "flows", request.session) as site:
        yield site


@pytest.fixture
def sandbox(site: Site) -> Sandbox:
    """The sandbox, without arrivals and without injected faults."""
    site.sandbox.reset()
    return site.sandbox


@pytest.fixture(scope="package")
def new_tenant(site: Site) -> Callable[[], Tenant]:
    return lambda: Tenant(site, site.new_tenant())


@pytest.fixture
def tenant(new_tenant: Callable[[], Tenant], sandbox: Sandbox) -> Tenant:
    return new_tenant()


@pytest.fixture(scope="package")
def pair(new_tenant: Callable[[], Tenant]) -> tuple[Side, Side]:
    """Two tenants, both with a row of everything."""
    sides = Side(new_tenant(), "a", "ACMEWORD"), Side(new_tenant(), "b", "CANARY")
    for side in sides:
        side.create_rows()
    return sides
