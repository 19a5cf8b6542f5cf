"""One sandbox for the session, cleared before each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sandbox.stand import Stand, sandbox_in


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    with sandbox_in(tmp_path_factory.mktemp("sandbox")) as stand:
        yield stand


@pytest.fixture
def stand(running: Stand) -> Stand:
    running.reset()
    return running
