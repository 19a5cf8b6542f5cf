"""A client on a raw socket, which may send any bytes at any time."""

from __future__ import annotations

import http.client
import itertools
import socket
import threading
import time
from dataclasses import dataclass
from typing import Any

import orjson

from tests.inbox.web import Web

#: every client has its own address, so no test uses up the connections of another test
_addresses = (f"127.{10 + n // 250}.0.{1 + n % 250}" for n in itertools.count())
HOST = "Host: 127.0.0.1\r\n"
#: seconds; other load on the machine may slow every answer down
TIMEOUT = 60


def new_address() -> str:
    return next(_addresses)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def body(self) -> Any:
        return orjson.loads(self.content)


class Raw:
    """One connection."""

    def __init__(self, web: Web, address: str = "") -> None:
        self.socket = socket.socket()
        # small, so that the bytes sent are about the bytes that the server has read
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 * 1024)
        self.socket.bind((address or new_address(), 0))
        self.socket.settimeout(TIMEOUT)
        self.socket.connect(("127.0.0.1", web.port))

    def send(self, text: str | bytes) -> None:
        self.socket.sendall(text.encode("latin-1") if isinstance(text, str) else text)

    def receive(self, method: str = "GET") -> Answer:
        """The next answer."""
        response = http.client.HTTPResponse(self.socket, method=method)
        response.begin()
        return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())

    def flood(self, part: bytes, max_bytes: int) -> int:
        """Send the part again and again until the server reads no more, or `max_bytes` are sent. Returns the bytes
        sent."""
        sent = 0
        try:
            while sent < max_bytes:
                self.socket.sendall(part)
                sent += len(part)
        except OSError:
            return sent
        return sent

    def is_closed(self, seconds: float = TIMEOUT) -> bool:
        """Whether the server ends the connection within this time."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                if not self.socket.recv(65536):
                    return True
            except TimeoutError:
                return False
            except OSError:
                return True
        return False

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> Raw:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def request(web: Web, text: str, address: str = "") -> Answer:
    """Send one complete request on its own connection. Returns the answer."""
    with Raw(web, address) as client:
        client.send(text)
        return client.receive(text.partition(" ")[0])


def is_alive(web: Web) -> bool:
    """Whether the server answers an ordinary request."""
    return request(web, f"GET /readyz HTTP/1.1\r\n{HOST}\r\n").status == 200


class Dripping:
    """Sends bytes at intervals, in the background, until the server closes the connection."""

    def __init__(self, client: Raw, byte: bytes = b"x", every: float = 0.5) -> None:
        self._client = client
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._drip, args=(byte, every), daemon=True)
        self._thread.start()

    def _drip(self, byte: bytes, every: float) -> None:
        try:
            while not self._stop.wait(every):
                self._client.socket.send(byte)
        except OSError:
            return

    def __enter__(self) -> Dripping:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
