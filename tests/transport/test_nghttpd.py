"""The chosen client against an HTTP/2 server that we did not write."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from notifier.transport import http_client
from notifier.vocabulary.http import Request, Response
from tests.sandbox.process import Sandbox
from tests.transport.h2 import servers


@pytest.fixture
def nghttpd(running: Sandbox, tmp_path: Path) -> Iterator[str]:
    """Serves one small file; its certificate is the sandbox's."""
    with servers.nghttpd(tmp_path, running.folder) as origin:
        yield origin


def test_thousands_of_posts_are_each_answered_once(nghttpd: str, running: Sandbox) -> None:
    paths = ["/answer", "/missing"]
    requests = [Request("POST", nghttpd + paths[i % 2], (("x-number", str(i)),), b"x" * 400, 60.0) for i in range(3000)]
    answers = [pair for batch in http_client(running.ca).exchange(requests) for pair in batch]
    assert sorted(index for index, _ in answers) == list(range(3000))
    for index, answer in answers:
        assert isinstance(answer, Response)
        assert answer.status == (404 if index % 2 else 200)
