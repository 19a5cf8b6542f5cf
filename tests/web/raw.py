"""A client that writes what it likes, when it likes."""

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

#: every client has an address of its own, so that no test uses up the connections of another one's
_addresses = (f"127.{10 + n // 250}.0.{1 + n % 250}" for n in itertools.count())
HOST = "Host: 127.0.0.1\r\n"
#: a load that others make may slow everything down
SECONDS = 60


def new_address() -> str:
    return next(_addresses)


@dataclass(frozen=True)
class Heard:
    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def body(self) -> Any:
        return orjson.loads(self.content)


class Raw:
    """One connection."""

    def __init__(self, web: Web, address: str = "") -> None:
        self.wire = socket.socket()
        # small, so that what was sent is about what the server took
        self.wire.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 * 1024)
        self.wire.bind((address or new_address(), 0))
        self.wire.settimeout(SECONDS)
        self.wire.connect(("127.0.0.1", web.port))

    def say(self, text: str | bytes) -> None:
        self.wire.sendall(text.encode("latin-1") if isinstance(text, str) else text)

    def hear(self, method: str = "GET") -> Heard:
        """The next answer."""
        response = http.client.HTTPResponse(self.wire, method=method)
        response.begin()
        return Heard(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())

    def pour(self, part: bytes, most: int) -> int:
        """Send the part over and over until the server takes no more, or so many bytes; how many it took."""
        sent = 0
        try:
            while sent < most:
                self.wire.sendall(part)
                sent += len(part)
        except OSError:
            return sent
        return sent

    def is_closed(self, seconds: float = SECONDS) -> bool:
        """Whether the server ends the connection within this time."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.wire.settimeout(left)
            try:
                if not self.wire.recv(65536):
                    return True
            except TimeoutError:
                return False
            except OSError:
                return True
        return False

    def close(self) -> None:
        self.wire.close()

    def __enter__(self) -> Raw:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def ask(web: Web, request: str, address: str = "") -> Heard:
    """One whole request on a connection of its own."""
    with Raw(web, address) as client:
        client.say(request)
        return client.hear(request.partition(" ")[0])


def alive(web: Web) -> bool:
    """Whether an ordinary request is answered meanwhile."""
    return ask(web, f"GET /readyz HTTP/1.1\r\n{HOST}\r\n").status == 200


class Dripping:
    """Sends a byte every so often, in the background, until the server closes."""

    def __init__(self, client: Raw, byte: bytes = b"x", every: float = 0.5) -> None:
        self._client = client
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._drip, args=(byte, every), daemon=True)
        self._thread.start()

    def _drip(self, byte: bytes, every: float) -> None:
        try:
            while not self._over.wait(every):
                self._client.wire.send(byte)
        except OSError:
            return

    def __enter__(self) -> Dripping:
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
