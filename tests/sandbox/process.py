"""A sandbox process for tests, and the control API that tests use."""

from __future__ import annotations

import json
import signal
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass
class Sandbox:
    """A running sandbox. `get` and `post` are urllib's: a client that is not ours."""

    url: str
    ca: str
    folder: Path
    process: subprocess.Popen[bytes]

    def get(self, path: str) -> Any:
        return self._open(urllib.request.Request(self.url + path))

    def post(self, path: str, value: Any = None) -> Any:
        body = b"" if value is None else json.dumps(value).encode()
        return self._open(urllib.request.Request(self.url + path, data=body, method="POST"))

    def report(self, detail: int = 0) -> dict[str, Any]:
        report: dict[str, Any] = self.get(f"/_report?detail=1&limit={detail}" if detail else "/_report")
        return report

    def faults(self, **knobs: Any) -> None:
        self.post("/_faults", knobs)

    def reset(self) -> None:
        self.post("/_reset")

    def _open(self, request: urllib.request.Request) -> Any:
        context = ssl.create_default_context(cafile=self.ca)
        with urllib.request.urlopen(request, context=context, timeout=60) as answer:
            return json.load(answer)


@contextmanager
def sandbox_in(folder: Path, port: int = 0) -> Iterator[Sandbox]:
    command = [sys.executable, "-m", "notifier.sandbox", "--dir", str(folder), "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        address = json.loads(process.stdout.readline())
        yield Sandbox(address["url"], address["ca"], folder, process)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
