"""A TCP proxy with faults, in a thread of its own: it delays, swallows, cuts and half-closes what passes."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

import uvloop

T = TypeVar("T")
_CHUNK = 1 << 16
#: SO_LINGER with 0 seconds: close() sends RST
_RESET = struct.pack("ii", 1, 0)


class Link:
    """One client's connection and the connection to its target."""

    def __init__(self, client: asyncio.StreamWriter, target: asyncio.StreamWriter) -> None:
        self.client, self.target = client, target

    def cut(self) -> None:
        for writer in (self.client, self.target):
            connection = writer.get_extra_info("socket")
            if connection is not None and not writer.is_closing():
                with suppress(OSError):  # the other end closed it meanwhile
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            writer.transport.abort()

    def half_close(self) -> None:
        """The target hears that the client sends no more; answers still pass."""
        with suppress(OSError, RuntimeError):  # closed already
            self.target.write_eof()


class Proxy:
    """Listens on `listen` (port -> target port, asked at each connection). All faults hold for all its ports."""

    def __init__(self, listen: dict[int, Callable[[], int]]) -> None:
        self._listen = listen
        self._loop = uvloop.new_event_loop()
        self._links: set[Link] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._latency = 0.0
        self._passes = asyncio.Event()
        self._refuses = False
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    def start(self) -> None:
        self._thread.start()
        self._call(self._open())

    def close(self) -> None:
        if self._thread.is_alive():
            self.cut()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)

    @property
    def connections(self) -> int:
        return len(self._links)

    # -- faults --

    def delay(self, seconds: float) -> None:
        """Each piece of data arrives later."""
        self._latency = seconds

    def swallow(self) -> None:
        """Nothing passes, and nobody is told: connections stay open, new ones are accepted."""
        self._loop.call_soon_threadsafe(self._passes.clear)

    def refuse(self) -> None:
        """Cut every connection, now and when it is opened."""
        self._refuses = True
        self.cut()

    def cut(self) -> None:
        """Reset every open connection, at both ends."""
        self._call(self._each(Link.cut))

    def half_close(self) -> None:
        """End the direction from clients to their targets, of every open connection."""
        self._call(self._each(Link.half_close))

    def heal(self) -> None:
        """New data and new connections pass again. What was swallowed arrives."""
        self._latency, self._refuses = 0.0, False
        self._loop.call_soon_threadsafe(self._passes.set)

    # -- the thread --

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _open(self) -> None:
        self._passes.set()
        for port, target in self._listen.items():
            await asyncio.start_server(self._accepted(target), "127.0.0.1", port, backlog=1024)

    async def _each(self, do: Callable[[Link], None]) -> None:
        for link in list(self._links):
            do(link)

    def _accepted(
        self, target: Callable[[], int]
    ) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._serve(reader, writer, target())

        return serve

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
        if self._refuses:
            writer.transport.abort()
            return
        try:
            target_reader, target_writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:  # the target is down: the client sees a closed connection, as it would without the proxy
            writer.transport.abort()
            return
        link = Link(writer, target_writer)
        self._links.add(link)
        try:
            await asyncio.gather(self._pump(reader, target_writer), self._pump(target_reader, writer))
        finally:
            self._links.discard(link)
            writer.close()
            target_writer.close()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(OSError, RuntimeError):  # one end is gone: the other pump ends, too
            while data := await source.read(_CHUNK):
                await self._passes.wait()
                if self._latency:
                    await asyncio.sleep(self._latency)
                sink.write(data)
                await sink.drain()
        with suppress(OSError, RuntimeError):
            if sink.can_write_eof():
                sink.write_eof()
