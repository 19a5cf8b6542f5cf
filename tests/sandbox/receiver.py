"""A receiver of callbacks: the standard library's HTTP server."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple


class Received(NamedTuple):
    path: str
    headers: dict[str, str]
    body: bytes


class Receiver:
    """An HTTP server on the loopback. `status` chooses the answer by the number of the request."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.status: Callable[[int], int] = lambda number: 200
        self.busy = self.most_busy = 0
        self.seconds = 0.0
        receiver, lock = self, threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                with lock:
                    receiver.busy += 1
                    receiver.most_busy = max(receiver.most_busy, receiver.busy)
                time.sleep(receiver.seconds)
                body = self.rfile.read(int(self.headers["content-length"]))
                with lock:
                    receiver.received.append(Received(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                    status = receiver.status(len(receiver.received))
                    receiver.busy -= 1
                self.send_response(status)
                self.send_header("content-length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
