"""One TLS connection: it connects asyncio's callbacks with the protocol, which is a function
(protocol/connection.py)."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from typing import Any, Protocol, cast

from notifier.transport import egress
from notifier.transport.h2.options import Times
from notifier.transport.h2.protocol.answers import Finished
from notifier.transport.h2.protocol.connection import Connection

WRITE_LIMIT = 256 * 1024  #: bytes that the socket has not taken, at which no more requests begin
#: bytes read at once, into a buffer that stays. With a plain asyncio.Protocol, uvloop allocates 256 KiB for each TLS
#: record; a server that writes a record for each answer (nginx) then cost 36 µs of system time a message
READ_SIZE = 128 * 1024
UNREAD_LIMIT = 4 * 1024 * 1024  #: bytes of ours that a server may leave unread, e.g. while it sends endless PINGs
UNUSED_SECONDS = 900.0  #: seconds without a request after which an idle connection is closed


class NotHttp2(OSError):
    """The server speaks TLS but did not choose h2."""


class LinkOwner(Protocol):
    """What a link needs of its origin."""

    def finished(self, link: Link, answers: Sequence[Finished]) -> None: ...
    def fill(self, link: Link, *, whole_bodies: bool = True) -> None: ...
    def retire(self, link: Link) -> None: ...
    def lost(self, link: Link) -> None: ...


class Link(asyncio.BufferedProtocol):
    def __init__(self, owner: LinkOwner, loop: asyncio.AbstractEventLoop, times: Times) -> None:
        self.connection = Connection()
        self.opened: asyncio.Future[None] = loop.create_future()  #: done when the server's SETTINGS came
        self._owner, self._times = owner, times
        self._buffer = memoryview(bytearray(READ_SIZE))
        self._transport: asyncio.Transport | None = None
        self._paused = False
        self._abort_reason = ""  #: set when we ended the connection
        self._received = False
        self.opened_at = self._received_at = self.used_at = self._pinged_at = loop.time()

    def room(self, size: int = 0, *, whole_bodies: bool = False) -> int:
        return 0 if self._paused else self.connection.room(size, whole_bodies=whole_bodies)

    def flush(self) -> None:
        if self._transport is not None and (data := self.connection.data_to_send()):
            self._transport.write(data)
            if self._paused and self._transport.get_write_buffer_size() > UNREAD_LIMIT:
                self.abort("the server does not read")

    # -- asyncio calls these --

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        secure: ssl.SSLObject = transport.get_extra_info("ssl_object")
        if secure.selected_alpn_protocol() != "h2":
            self._open(NotHttp2("no h2"))
            self._transport.abort()
            return
        self._transport.set_write_buffer_limits(high=WRITE_LIMIT)
        self.flush()

    def get_buffer(self, _size_hint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, size: int) -> None:
        self._received = True
        connection = self.connection
        answers = connection.receive(bytes(self._buffer[:size]))
        if connection.ready:
            self._open(None)
        if connection.draining:
            self._owner.retire(self)
        self._owner.fill(self)
        self._write_or_close()
        if answers:  # after the next requests are written: this wakes the sending thread
            self._owner.finished(self, answers)

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._owner.fill(self)
        self.flush()

    def connection_lost(self, error: Exception | None) -> None:
        self._open(ConnectionResetError("the server closed the connection"))
        reason = self._abort_reason or (f"connection lost: {error}" if error else "the server closed the connection")
        answers = self.connection.lost(reason[:200])
        self._transport = None
        self._owner.finished(self, answers)
        self._owner.lost(self)

    # -- the owner calls these --

    @property
    def is_idle(self) -> bool:
        return self.connection.ready and not self.connection.in_flight and not self.connection.draining

    def close_idle(self) -> None:
        """Close a connection without requests in flight, so that another one may open."""
        self.connection.draining = True
        self._owner.retire(self)
        self._write_or_close()

    def sweep(self, now: float) -> None:
        """Give up requests past their deadline, ping a silent server, close an unused connection."""
        connection = self.connection
        if self._received:
            self._received, self._received_at = False, now
        busy = connection.in_flight > 0
        if busy:
            self.used_at = now
            self._owner.finished(self, connection.expire(now))
        silent = now - self._received_at
        if connection.pinging:
            if min(silent, now - self._pinged_at) > self._times.ping_timeout:
                self.abort("the server fell silent")
        elif silent > (self._times.ping_busy if busy else self._times.ping_idle) and connection.ready:
            self._pinged_at = now
            connection.ping()
        if now - self.used_at > UNUSED_SECONDS:
            connection.draining = True
        self._owner.fill(self, whole_bodies=False)
        self._write_or_close()

    def abort(self, reason: str = "") -> None:
        self._abort_reason = reason
        if self._transport is not None:
            self._transport.abort()

    def _write_or_close(self) -> None:
        """Write what is to be sent; close a connection that is finished."""
        connection = self.connection
        if connection.draining and not connection.in_flight and not connection.closed:
            connection.leave()
            self.flush()
            connection.lost("")
        self.flush()
        if connection.closed and self._transport is not None:
            self._transport.close()

    def _open(self, error: Exception | None) -> None:
        if not self.opened.done():
            if error is None:
                self.opened.set_result(None)
            else:
                self.opened.set_exception(error)


def tls_context(trust: str | None) -> ssl.SSLContext:
    """The system's certificate authorities, and those of the file `trust`."""
    context = ssl.create_default_context()
    if trust:
        context.load_verify_locations(trust)
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context


async def connect(link: Link, endpoint: tuple[str, int], context: ssl.SSLContext, *, trusted: bool) -> Any:
    """Returns when the server's SETTINGS came. `trusted`: see egress.connect. Raises OSError or ValueError."""
    await egress.connect(link, endpoint, context, trusted=trusted)
    await link.opened
