"""Ways to see that a started process is ready to work."""

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
    """A started process and where its output of this start begins in its log."""

    pid: int
    log: Path
    log_from: int

    def output(self) -> str:
        with self.log.open("rb") as file:
            file.seek(self.log_from)
            return file.read().decode(errors="replace")


Ready = Callable[[Running], bool]


def at_once(running: Running) -> bool:
    return True


def log_says(pattern: str) -> Ready:
    """Its own output has a line that matches."""
    wanted = re.compile(pattern)
    return lambda running: wanted.search(running.output()) is not None


def answers_http(port: int, path: str) -> Ready:
    """Any answer below 500 is one: 401 of a page with a login included."""

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


def answers(port: int, question: bytes, answer: bytes) -> Ready:
    """What comes back on a raw socket ends with `answer`."""

    def ready(running: Running) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as connection:
                connection.settimeout(1)
                connection.sendall(question)
                return connection.recv(256).endswith(answer)
        except OSError:
            return False

    return ready


def wrote_json(path: Path) -> Ready:
    """It wrote a JSON object that names its own process id, so a file left by an earlier one does not count."""

    def ready(running: Running) -> bool:
        try:
            return bool(json.loads(path.read_text())["pid"] == running.pid)
        except (OSError, ValueError, KeyError, TypeError):
            return False

    return ready
