"""A web process with low limits, and the size of its temporary files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.inbox.web import Web

#: more connections than a test of 400 needs, and few enough to be reached
CONNECTIONS = 500
PER_ADDRESS = 40


@pytest.fixture(scope="session")
def spool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the web process keeps bodies that are too large for memory."""
    return tmp_path_factory.mktemp("spool")


@pytest.fixture(scope="session")
def web(django_db_setup: None, spool: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    server = Web(
        app="tests.web.short_clocks:application",
        TMPDIR=str(spool),
        UPLOADS_DIR=str(tmp_path_factory.mktemp("uploads")),
        IMPORT_MAX_BYTES=str(8 * 1024 * 1024),
        WEB_MAX_CONNECTIONS=str(CONNECTIONS),
        WEB_MAX_CONNECTIONS_PER_ADDRESS=str(PER_ADDRESS),
    )
    yield server
    server.stop()


def on_disk(web: Web, spool: Path) -> int:
    """The bytes of temporary files that the web process has open. The files have no name, so the folder looks empty."""
    sizes = []
    for file in Path(f"/proc/{web.process.pid}/fd").iterdir():
        try:
            if str(file.readlink()).startswith(str(spool)):
                sizes.append(file.stat().st_size)
        except FileNotFoundError:
            continue
    return sum(sizes)
