"""One HTTP/1.1 connection that stays open, and the pool of them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import cast
from urllib.parse import urlsplit

import httptools


class ConnectionFailed(Exception):
    """The server closed a connection before it answered."""


class Connection(asyncio.Protocol):
    """`await connection.post(...)` sends one request and returns its status and body. One request at a time."""

    def __init__(self) -> None:
        self.is_open = True
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._body = b""

    async def post(self, head: bytes, body: bytes) -> tuple[int, bytes]:
        """Raises ConnectionFailed."""
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(b"%sContent-Length: %d\r\n\r\n%s" % (head, len(body), body))
        return await self._answer

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    # -- called by asyncio --

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are not derived from asyncio's
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, error: Exception | None) -> None:
        self.is_open = False
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionFailed("the server closed the connection"))

    # -- called by httptools --

    def on_body(self, part: bytes) -> None:
        self._body += part

    def on_message_complete(self) -> None:
        body, self._body = self._body, b""
        status = self._parser.get_status_code()
        if not self._parser.should_keep_alive():
            self.is_open = False
        self._parser = httptools.HttpResponseParser(self)
        if self._answer is not None and not self._answer.done():
            self._answer.set_result((status, body))


class Pool:
    """Connections to one origin. The one that has been idle longest is used next, so that all of them, and with them
    all web processes, have work. A request that finds no idle connection opens one, up to `most`."""

    def __init__(self, origin: str, path: str, headers: Mapping[str, str], most: int) -> None:
        address = urlsplit(origin)
        self._host, self._port = address.hostname or "", address.port or 80
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self._head = f"POST {path} HTTP/1.1\r\nHost: {address.netloc}\r\n{lines}".encode()
        self._idle: deque[Connection] = deque()
        self._free = asyncio.Semaphore(most)

    async def open(self, count: int) -> None:
        self._idle.extend(await asyncio.gather(*(self._connect() for _ in range(count))))

    async def post(self, body: bytes) -> tuple[int, bytes]:
        """Raises ConnectionFailed and OSError."""
        async with self._free:
            connection = await self._take()
            try:
                return await connection.post(self._head, body)
            finally:
                if connection.is_open:
                    self._idle.append(connection)

    def close(self) -> None:
        for connection in self._idle:
            connection.close()

    async def _take(self) -> Connection:
        while self._idle:
            connection = self._idle.popleft()
            if connection.is_open:
                return connection
        return await self._connect()

    async def _connect(self) -> Connection:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(Connection, self._host, self._port)
        return connection
