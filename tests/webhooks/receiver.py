"""A tenant's server: a real HTTP server that keeps what came, and answers as a test says."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Call:
    """One request."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def webhook_id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def events(self) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = json.loads(self.body)["data"]["events"]
        return listed

    @property
    def types(self) -> list[str]:
        return [event["type"] for event in self.events]


@dataclass
class Receiver:
    """`answers`: status and headers of the next answers; then 204 to each."""

    url: str = ""
    calls: list[Call] = field(default_factory=list)
    answers: deque[tuple[int, dict[str, str], bytes]] = field(default_factory=deque)
    held: tuple[threading.Event, threading.Event] | None = None

    def answer(self, *statuses: int, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
        self.answers.extend((status, headers or {}, body) for status in statuses)

    def hold(self, arrived: threading.Event, released: threading.Event) -> None:
        """Say when the next request has arrived, and answer it when it is released."""
        self.held = (arrived, released)

    @property
    def types(self) -> list[str]:
        return [name for call in self.calls for name in call.types]

    @property
    def events(self) -> list[dict[str, Any]]:
        return [event for call in self.calls for event in call.events]


@contextmanager
def receiver() -> Iterator[Receiver]:
    """A server on a port of its own."""
    got = Receiver()
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with lock:
                status, headers, content = got.answers.popleft() if got.answers else (204, {}, b"")
                got.calls.append(Call(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                held, got.held = got.held, None
            if held is not None:
                held[0].set()
                held[1].wait(120)
            with suppress(ConnectionError):
                self._answer(status, headers, content)

        def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if status != 204:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Nothing: the test has the calls."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    got.url = f"http://127.0.0.1:{server.server_address[1]}/hook"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield got
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
