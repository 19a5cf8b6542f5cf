"""The chosen client against an HTTP/2 server that we did not write."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from notifier.transport import http_client
from notifier.vocabulary.http import Request, Response
from tests.sandbox.process import Sandbox

NGHTTPD = shutil.which("nghttpd") or shutil.which("nghttpd", path="/usr/sbin:/usr/local/sbin")


@pytest.fixture
def nghttpd(running: Sandbox, tmp_path: Path) -> Iterator[str]:
    """Serves one small file; its certificate is the sandbox's."""
    if NGHTTPD is None:
        pytest.skip("no nghttpd on PATH (apt-get install nghttp2-server)")
    (tmp_path / "answer").write_text("{}")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    certificates = [str(running.folder / "server.key"), str(running.folder / "server.pem")]
    server = subprocess.Popen([NGHTTPD, "-d", str(tmp_path), "-a", "127.0.0.1", str(port), *certificates])
    try:
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.02)
        yield f"https://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(60)


def test_thousands_of_posts_are_each_answered_once(nghttpd: str, running: Sandbox) -> None:
    paths = ["/answer", "/missing"]
    requests = [Request("POST", nghttpd + paths[i % 2], (("x-number", str(i)),), b"x" * 400, 60.0) for i in range(3000)]
    answers = [pair for batch in http_client(running.ca).exchange(requests) for pair in batch]
    assert sorted(index for index, _ in answers) == list(range(3000))
    for index, answer in answers:
        assert isinstance(answer, Response)
        assert answer.status == (404 if index % 2 else 200)
