"""Many clients of open inboxes in one process, with the widget's rules (static/inbox/connection.js): they resume after
what they have, and reconnect with the jitter that the server tells.

`python -m bench.inbox_clients` reads {"host", "port", "tokens"} from its first line of input, then commands, one a
line, and answers each with one line of JSON. A client costs 20 µs a frame, so that the server is what is measured.
"""

from __future__ import annotations

import asyncio
import random
import resource
import sys
import time
from typing import Any, cast

import orjson
import uvloop

#: the widget's waits, in seconds
FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0
_UPGRADE = (
    "GET /v1/inbox/live HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


class Clients:
    """All clients, and what they have seen together."""

    def __init__(self, host: str, port: int, tokens: list[str]) -> None:
        self.host, self.port = host, port
        self.all = [Client(self, token) for token in tokens]
        self.changed = asyncio.Event()
        self.ready = self.refused = self.doubles = self.gaps = self.lost = self.frames = self.messages = 0
        self.first_ready = self.last_ready = self.last_message = 0.0

    async def open(self, seconds: float) -> None:
        """Open all, spread over so many seconds."""
        for client in self.all:
            client.connect_in(random.random() * seconds)

    async def wait(self, until: Any, timeout: float) -> bool:
        try:
            async with asyncio.timeout(timeout):
                while not until():
                    self.changed.clear()
                    await self.changed.wait()
        except TimeoutError:
            return False
        return True

    def report(self) -> dict[str, Any]:
        names = (
            "ready",
            "refused",
            "doubles",
            "gaps",
            "lost",
            "frames",
            "messages",
            "first_ready",
            "last_ready",
            "last_message",
        )
        return {name: getattr(self, name) for name in names}


class Client(asyncio.Protocol):
    """One inbox."""

    __slots__ = ("buffer", "clients", "failures", "is_ready", "retry_after", "seq", "token", "transport", "within")

    def __init__(self, clients: Clients, token: str) -> None:
        self.clients, self.token = clients, token
        self.seq: int | None = None
        self.within, self.retry_after, self.failures, self.is_ready = 0.0, 0.0, 0, False

    def connect_in(self, seconds: float) -> None:
        asyncio.get_running_loop().call_later(seconds, lambda: asyncio.ensure_future(self._connect()))

    async def _connect(self) -> None:
        try:
            host, port = self.clients.host, self.clients.port
            await asyncio.get_running_loop().create_connection(lambda: self, host, port)
        except OSError:
            self._reconnect()

    def _reconnect(self) -> None:
        longest = min(LONGEST_WAIT, FIRST_WAIT * 2**self.failures)
        self.failures += 1
        if self.retry_after:
            wait = self.retry_after + random.random()
        elif self.within > longest:
            wait = random.random() * self.within
        else:
            wait = longest / 4 + random.random() * longest * 0.75
        self.retry_after = 0.0
        self.connect_in(wait)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.buffer = b""
        self.transport.write(_UPGRADE.format(host=self.clients.host, port=self.clients.port).encode())

    def connection_lost(self, exc: Exception | None) -> None:
        if self.is_ready:
            self.clients.ready -= 1
            self.clients.lost += 1
            self.is_ready = False
        self._reconnect()

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if self.buffer.startswith(b"HTTP"):
            head, end, rest = self.buffer.partition(b"\r\n\r\n")
            if not end:
                return
            if not head.startswith(b"HTTP/1.1 101"):
                self._refused(head)
                return
            self.buffer = rest
            hello: dict[str, Any] = {"type": "hello", "token": self.token}
            self._send(0x81, orjson.dumps(hello if self.seq is None else {**hello, "after_seq": self.seq}))
        self._read_frames()

    def _refused(self, head: bytes) -> None:
        self.clients.refused += 1
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"retry-after:"):
                self.retry_after = float(line[12:])
        self.transport.close()

    def _read_frames(self) -> None:
        while len(self.buffer) >= 2:
            size, start = self.buffer[1], 2
            if size == 126:
                size, start = int.from_bytes(self.buffer[2:4], "big"), 4
            elif size == 127:
                size, start = int.from_bytes(self.buffer[2:10], "big"), 10
            if len(self.buffer) < start + size:
                return
            code, payload = self.buffer[0] & 0x0F, self.buffer[start : start + size]
            self.buffer = self.buffer[start + size :]
            if code == 1:
                self._receive(orjson.loads(payload))
            elif code == 9:
                self._send(0x8A, payload)
            elif code == 8:
                self.transport.close()

    def _receive(self, frame: dict[str, Any]) -> None:
        clients = self.clients
        clients.frames += 1
        self.within = frame.get("reconnect_within", self.within)
        if frame["type"] == "ready":
            self.failures, self.is_ready = 0, True
            self.seq = frame["last_seq"] if self.seq is None else self.seq
            clients.ready += 1
            clients.last_ready = time.time()
            clients.first_ready = clients.first_ready or clients.last_ready
            clients.changed.set()
        for message in frame.get("messages", ()):
            assert self.seq is not None
            clients.doubles += message["seq"] <= self.seq
            clients.messages += message["seq"] > self.seq
            clients.gaps += message["seq"] > self.seq + 1
            self.seq = max(self.seq, message["seq"])
            clients.last_message = time.time()
            clients.changed.set()

    def _send(self, head: int, payload: bytes) -> None:
        size = len(payload)
        length = bytes((0x80 | size,)) if size < 126 else bytes((0xFE,)) + size.to_bytes(2, "big")
        # masked with zeros: the payload stays as it is
        self.transport.write(bytes((head,)) + length + bytes(4) + payload)


async def _answer(clients: Clients, command: dict[str, Any]) -> dict[str, Any]:
    timeout = command.get("timeout", 60.0)
    match command["do"]:
        case "open":
            await clients.open(command["seconds"])
        case "wait_ready":
            await clients.wait(lambda: clients.ready == len(clients.all), timeout)
        case "wait_messages":
            await clients.wait(lambda: clients.messages >= command["count"], timeout)
        case "forget_ready":
            clients.first_ready = 0.0
    return clients.report()


async def _run() -> None:
    loop = asyncio.get_running_loop()
    first = orjson.loads(await loop.run_in_executor(None, sys.stdin.readline))
    clients = Clients(first["host"], first["port"], first["tokens"])
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        sys.stdout.buffer.write(orjson.dumps(await _answer(clients, orjson.loads(line))) + b"\n")
        sys.stdout.buffer.flush()


def main() -> None:
    hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard_limit, hard_limit))
    uvloop.run(_run())


if __name__ == "__main__":
    main()
