"""One site for all flow tests, and a new tenant for each."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from notifier.local.console import say_nothing
from notifier.local.testing import LOCAL, remove_folder
from tests.flows.pair import Side
from tests.flows.sandbox import Sandbox
from tests.flows.site import Site
from tests.flows.tenant import Tenant

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.flow)
            item.add_marker(pytest.mark.xdist_group("flows"))


@pytest.fixture(scope="session")
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """Servers, sandbox, web, a worker per queue and beat, in a folder that tests/settings.py's sweep knows. Logs of
    a run with failures stay."""
    folder = LOCAL / f"test-{os.getpid()}-flows"
    with Site(folder, test=True, environ={}, say=say_nothing) as running:
        running.up()
        yield running
    remove_folder(folder, keep_logs=request.session.testsfailed > 0)


@pytest.fixture
def sandbox(site: Site) -> Sandbox:
    """Nothing has arrived yet, and no knob is turned."""
    site.sandbox.reset()
    return site.sandbox


@pytest.fixture(scope="session")
def new_tenant(site: Site) -> Callable[[], Tenant]:
    return lambda: Tenant(site, site.new_tenant())


@pytest.fixture
def tenant(new_tenant: Callable[[], Tenant], sandbox: Sandbox) -> Tenant:
    return new_tenant()


@pytest.fixture(scope="session")
def pair(new_tenant: Callable[[], Tenant]) -> tuple[Side, Side]:
    """Ours and a stranger, both with a row of everything."""
    sides = Side(new_tenant(), "a", "ACMEWORD"), Side(new_tenant(), "b", "CANARY")
    for side in sides:
        side.furnish()
    return sides
