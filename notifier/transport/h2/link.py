"""One TLS connection: asyncio's callbacks on one side, the protocol as a function on the other."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from typing import Any, Protocol, cast

from notifier.transport.h2.connection import Connection, Finished

BUFFERED = 256 * 1024  #: bytes not yet taken by the socket at which no more requests are begun
#: bytes read at once, into a buffer that stays: uvloop's other way allocates 256 KiB for each TLS record, and a server
#: that writes a record for each answer (nginx) then cost 36 µs of system time a message
READ = 128 * 1024
UNREAD = 4 * 1024 * 1024  #: bytes of ours that a far end may leave unread, e.g. while it sends PINGs without end
SILENCE_BUSY, SILENCE_IDLE = 5.0, 45.0  #: seconds without a word after which we ask whether it lives
PATIENCE = 10.0  #: seconds that it may take to say so
UNUSED = 900.0  #: seconds without a request after which an idle connection is closed


class NotHttp2(OSError):
    """The far end speaks TLS, but did not choose h2."""


class Owner(Protocol):
    def finished(self, link: Link, answers: Sequence[Finished]) -> None: ...
    def fill(self, link: Link, *, patient: bool = True) -> None: ...
    def retire(self, link: Link) -> None: ...
    def gone(self, link: Link) -> None: ...


class Link(asyncio.BufferedProtocol):
    def __init__(self, owner: Owner, loop: asyncio.AbstractEventLoop) -> None:
        self.connection = Connection()
        self.opened: asyncio.Future[None] = loop.create_future()  #: when the far end's SETTINGS came
        self._owner = owner
        self._buffer = memoryview(bytearray(READ))
        self._transport: asyncio.Transport | None = None
        self._paused = False
        self._why = ""  #: we ended it
        self._talked = False
        self.born = self._heard = self._used = self._pinged = loop.time()

    def room(self, size: int = 0, *, patient: bool = False) -> int:
        return 0 if self._paused else self.connection.room(size, patient=patient)

    def flush(self) -> None:
        if self._transport is not None and (data := self.connection.written()):
            self._transport.write(data)
            if self._paused and self._transport.get_write_buffer_size() > UNREAD:
                self.abort("the far end does not read")

    # -- asyncio calls these --

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        secure: ssl.SSLObject = transport.get_extra_info("ssl_object")
        if secure.selected_alpn_protocol() != "h2":
            self._open(NotHttp2("no h2"))
            self._transport.abort()
            return
        self._transport.set_write_buffer_limits(high=BUFFERED)
        self.flush()

    def get_buffer(self, _wanted: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, size: int) -> None:
        self._talked = True
        connection = self.connection
        answers = connection.receive(bytes(self._buffer[:size]))
        if connection.ready:
            self._open(None)
        if connection.draining:
            self._owner.retire(self)
        self._owner.fill(self)
        self._settle()
        if answers:  # after the next requests are out: this wakes the thread that waits for them
            self._owner.finished(self, answers)

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._owner.fill(self)
        self.flush()

    def connection_lost(self, error: Exception | None) -> None:
        self._open(ConnectionResetError("the far end closed the connection"))
        why = self._why or (f"connection lost: {error}" if error else "the far end closed the connection")
        answers = self.connection.lost(why[:200])
        self._transport = None
        self._owner.finished(self, answers)
        self._owner.gone(self)

    # -- the owner calls these --

    def sweep(self, now: float) -> None:
        """Deadlines, and signs of life."""
        connection = self.connection
        if self._talked:
            self._talked, self._heard = False, now
        busy = connection.under_way > 0
        if busy:
            self._used = now
            self._owner.finished(self, connection.expire(now))
        silent = now - self._heard
        if connection.pinging:
            if min(silent, now - self._pinged) > PATIENCE:
                self.abort("the far end fell silent")
        elif silent > (SILENCE_BUSY if busy else SILENCE_IDLE) and connection.ready:
            self._pinged = now
            connection.ping()
        if now - self._used > UNUSED:
            connection.draining = True
        self._owner.fill(self, patient=False)
        self._settle()

    def abort(self, why: str = "") -> None:
        self._why = why
        if self._transport is not None:
            self._transport.abort()

    def _settle(self) -> None:
        """Send what is to be sent; close what is finished."""
        connection = self.connection
        if connection.draining and not connection.under_way and not connection.closed:
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


def tls(trust: str | None) -> ssl.SSLContext:
    """The system's certificate authorities, and those of the file `trust`."""
    context = ssl.create_default_context()
    if trust:
        context.load_verify_locations(trust)
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context


async def connect(link: Link, place: tuple[str, int], context: ssl.SSLContext) -> Any:
    """Until the far end's SETTINGS came. Raises OSError or ValueError."""
    loop = asyncio.get_running_loop()
    host = place[0].strip("[]")
    await loop.create_connection(
        lambda: link, host, place[1], ssl=context, server_hostname=host, ssl_shutdown_timeout=1.0
    )
    await link.opened
