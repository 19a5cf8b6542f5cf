"""Many clients of Centrifugo in one process: each connects, subscribes to one channel, and answers pings.

`python -m bench.peers.centrifugo_clients` reads {"port", "channel", "sockets", "per_s"} from its first line of input
and connects so many sockets at this rate. It writes a line {"began", "ready"} when all are subscribed (Unix times of
the first connect and of the last subscription), and a line {"last"} after each publication that all have received (Unix
time of the last receipt). It ends with its input.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from typing import Any, cast

import uvloop

_UPGRADE = (
    "GET /connection/websocket HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
_TEXT, _CLOSE, _PING, _PONG = 0x1, 0x8, 0x9, 0xA


class Clients:
    """All clients, and what they have seen together."""

    def __init__(self, port: int, channel: str, sockets: int, per_s: float) -> None:
        self.port, self.channel, self.sockets, self.per_s = port, channel, sockets, per_s
        self.subscribed = self.received = 0
        self.began = 0.0

    async def connect(self) -> None:
        loop = asyncio.get_running_loop()
        start = self.began = time.time()
        for number in range(self.sockets):
            await asyncio.sleep(max(0.0, start + number / self.per_s - time.time()))
            await loop.create_connection(lambda: Client(self), "127.0.0.1", self.port)

    def note_subscribed(self) -> None:
        self.subscribed += 1
        if self.subscribed == self.sockets:
            _write({"began": self.began, "ready": time.time()})

    def note_received(self) -> None:
        self.received += 1
        if self.received % self.sockets == 0:
            _write({"last": time.time()})


class Client(asyncio.Protocol):
    """One socket, with Centrifugo's JSON protocol: several replies of one frame are lines."""

    def __init__(self, clients: Clients) -> None:
        self.clients = clients
        self._buffer = b""
        self._is_open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(_UPGRADE.encode())

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._is_open:
            _, end, after = self._buffer.partition(b"\r\n\r\n")
            if not end:
                return
            self._is_open, self._buffer = True, after
            self._send({"id": 1, "connect": {}})
            self._send({"id": 2, "subscribe": {"channel": self.clients.channel}})
        while frame := self._next_frame():
            self._receive(*frame)

    def _next_frame(self) -> tuple[int, bytes] | None:
        """The code and the payload of the next complete frame; a server's frames are not masked."""
        if len(self._buffer) < 2:
            return None
        size, start = self._buffer[1], 2
        if size >= 126:
            start += 2 if size == 126 else 8
            size = int.from_bytes(self._buffer[2:start], "big")
        if len(self._buffer) < start + size:
            return None
        code, payload = self._buffer[0] & 0x0F, self._buffer[start : start + size]
        self._buffer = self._buffer[start + size :]
        return code, payload

    def _receive(self, code: int, payload: bytes) -> None:
        if code == _TEXT:
            for line in payload.splitlines():
                self._answer(json.loads(line))
        elif code == _PING:
            self._write_frame(_PONG, payload)
        elif code == _CLOSE:
            self._transport.close()

    def _answer(self, reply: dict[str, Any]) -> None:
        if not reply:  # a ping of the protocol
            self._send({})
        elif reply.get("id") == 2 and "subscribe" in reply:
            self.clients.note_subscribed()
        elif "pub" in reply.get("push", {}):
            self.clients.note_received()

    def _send(self, command: dict[str, Any]) -> None:
        self._write_frame(_TEXT, json.dumps(command).encode())

    def _write_frame(self, code: int, payload: bytes) -> None:
        assert len(payload) < 126
        # masked with zeros: the payload stays as it is
        self._transport.write(bytes((0x80 | code, 0x80 | len(payload))) + bytes(4) + payload)


def _write(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


async def main() -> None:
    hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard_limit, hard_limit))
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    clients = Clients(**json.loads(sys.stdin.readline()))

    def end() -> None:
        loop.remove_reader(sys.stdin)  # a closed pipe stays readable
        ended.set()

    loop.add_reader(sys.stdin, end)
    connecting = asyncio.create_task(clients.connect())
    await ended.wait()
    connecting.cancel()


uvloop.run(main())
