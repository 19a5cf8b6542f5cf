"""Fixtures and hooks for all tests. tests/settings.py starts the servers, in each process that runs tests."""

from __future__ import annotations

import os
import shutil
from typing import Any

import hypothesis
import pytest

from tests import settings
from tests.distribution import FileScheduling

pytest_plugins = ["tests.fixtures", "tests.second_runs", "tests.browser", "tests.sandbox.fixtures"]

# other load on the machine makes an example slow, but not wrong
hypothesis.settings.register_profile("loaded", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("loaded")

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FileScheduling:
    return FileScheduling(config, log)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if settings.SERVERS is not None:
        settings.SERVERS.keep_logs = session.testsfailed > 0


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the servers that tests/settings.py started. Only the logs of a failure remain."""
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
