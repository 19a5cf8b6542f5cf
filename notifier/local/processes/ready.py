"""Checks whether a started process is ready."""

from __future__ import annotations

import http.client
import json
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Running:
    """A started process. Its output of this start begins at `log_offset` in its log."""

    pid: int
    log: Path
    log_offset: int

    def output(self) -> str:
        with self.log.open("rb") as file:
            file.seek(self.log_offset)
            return file.read().decode(errors="replace")


Ready = Callable[[Running], bool]


def at_once(running: Running) -> bool:
    return True


def log_says(pattern: str) -> Ready:
    """Ready when the output of this start matches the pattern."""
    compiled = re.compile(pattern)
    return lambda running: compiled.search(running.output()) is not None


def answers_http(port: int, path: str) -> Ready:
    """Ready when an HTTP answer is below 500, so a 401 counts too."""

    def ready(running: Running) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", path)
            return connection.getresponse().status < 500
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    return ready


def answers_tcp(port: int, request: bytes, answer: bytes) -> Ready:
    """Ready when the answer to `request` on a raw socket ends with `answer`."""

    def ready(running: Running) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as connection:
                connection.settimeout(1)
                connection.sendall(request)
                return connection.recv(256).endswith(answer)
        except OSError:
            return False

    return ready


def wrote_json(path: Path) -> Ready:
    """Ready when it has written a JSON object with its own process id; a file of an earlier process does not count."""

    def ready(running: Running) -> bool:
        try:
            return bool(json.loads(path.read_text())["pid"] == running.pid)
        except (OSError, ValueError, KeyError, TypeError):
            return False

    return ready
