"""What every test may use. Servers are started by `make test`, or by tests/settings.py for a bare `pytest`."""

from __future__ import annotations

import os
import shutil

import pytest

from tests import settings

pytest_plugins = ["tests.fixtures", "tests.sandbox.fixtures"]

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop what tests/settings.py started; nothing remains of it."""
    if settings.SERVERS is not None:
        settings.SERVERS.stop()


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a browser for playwright's `executable_path`."""
    for name in BROWSERS:
        if path := shutil.which(name):
            return path
    missing = "no chromium on PATH (apt-get install chromium): the browser tests need it"
    if os.environ.get("NOTIFIER_REQUIRE_BROWSER") == "1":
        pytest.fail(missing)
    pytest.skip(missing)
