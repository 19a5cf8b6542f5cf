"""One sandbox for the session, cleared before each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sandbox.process import Sandbox, sandbox_in


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with sandbox_in(tmp_path_factory.mktemp("sandbox")) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Sandbox:
    running.reset()
    return running
