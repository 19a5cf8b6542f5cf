"""One TCP connection: it connects asyncio's callbacks with the protocol, which is a function (connection.py)."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from typing import Protocol, cast

from notifier.transport import egress
from notifier.transport.smtp.connection import Connection, Finished, Mail, Security, is_progress
from notifier.transport.smtp.settings import Settings

#: seconds without a message after which we send QUIT; servers close after 300 (RFC 5321 §4.5.3.2.7)
IDLE_SECONDS = 30.0
QUIT_TIMEOUT = 2.0  #: seconds that the server may take to answer QUIT
WRITE_LIMIT = 256 * 1024  #: bytes that the socket has not taken, at which no more messages begin


class LinkOwner(Protocol):
    """What a link needs of its server."""

    def answered(self, link: Link, answers: Sequence[Finished]) -> None: ...
    def finished(self, link: Link, answers: Sequence[Finished]) -> None: ...
    def fill(self, link: Link) -> None: ...
    def lost(self, link: Link, reason: str) -> None: ...


class Link(asyncio.Protocol):
    def __init__(self, owner: LinkOwner, settings: Settings, context: ssl.SSLContext, *, trusted: bool = False) -> None:
        """`trusted`: the host is our own choice (the sandbox) and may be internal."""
        self._trusted = trusted
        self.connection = Connection(settings.hello, settings.security, settings.login)
        self._owner, self._settings, self._context = owner, settings, context
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._upgrade: asyncio.Task[None] | None = None
        self._paused = self._lost = False
        self._abort_reason = ""
        self.useful = False  #: the server answered a message
        self._used_at = self._progress_at = self._loop.time()

    @property
    def room(self) -> int:
        connection = self.connection
        return 0 if self._paused else min(connection.room, self._settings.per_connection - connection.begun)

    def begin(self, mail: Mail) -> None:
        if not self.connection.in_flight:
            self._progress_at = self._loop.time()
        self.connection.begin([mail])

    async def open(self) -> None:
        """Connect; the greeting comes later. Raises OSError."""
        settings = self._settings
        context = self._context if settings.security is Security.TLS else None
        await egress.connect(self, (settings.host, settings.port), context, trusted=self._trusted)

    def flush(self) -> None:
        if self._transport is not None and (data := self.connection.data_to_send()):
            self._transport.write(data)

    def abort(self, reason: str) -> None:
        self._abort_reason = reason
        if self._transport is not None:
            self._transport.abort()

    def sweep(self, now: float) -> None:
        """Abort a connection with an overdue message or reply; close an unused connection."""
        connection = self.connection
        if connection.in_flight:
            self._used_at = now
        if now - self._progress_at > connection.timeout:
            self.abort("no answer within the timeout")
        elif connection.draining and now - self._used_at > QUIT_TIMEOUT:
            self.abort("the server did not answer QUIT")
        elif now - self._used_at > IDLE_SECONDS or (connection.draining and not connection.in_flight):
            if not connection.draining:
                self._used_at = now  # QUIT_TIMEOUT begins
            connection.leave()
            self.flush()

    # -- asyncio calls these --

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=WRITE_LIMIT)

    def data_received(self, data: bytes) -> None:
        connection = self.connection
        answers = connection.receive(data)
        if answers:
            self._progress_at = self._loop.time()
            self.useful = self.useful or any(is_progress(answer) for _, answer in answers)
        if connection.wants_tls and not connection.closed:
            self._upgrade = self._loop.create_task(self._start_tls())
            return
        if connection.begun >= self._settings.per_connection:
            connection.draining = True
        self._owner.fill(self)
        if connection.draining and not connection.in_flight:
            connection.leave()
        if answers:
            self._owner.answered(self, answers)  # and writes what is next, after it has noted these answers
        else:
            self.write()

    def write(self) -> None:
        """Write what is next, or close a connection that has ended."""
        self.flush()
        if self.connection.closed and self._transport is not None:
            self._transport.close()

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._owner.fill(self)
        self.flush()

    def connection_lost(self, error: Exception | None) -> None:
        if self._lost:
            return
        reason = self._abort_reason or (f"connection lost: {error}" if error else "the server closed the connection")
        self._lost, self._transport = True, None
        self._owner.finished(self, self.connection.lost(reason[:200]))
        self._owner.lost(self, reason[:200])

    async def _start_tls(self) -> None:
        if self._transport is None or self.connection.closed:
            return
        try:
            secured = await self._loop.start_tls(
                self._transport, self, self._context, server_hostname=self._settings.host
            )
        except (OSError, ValueError) as error:
            self.abort(f"STARTTLS failed: {error}")
            self.connection_lost(error)  # asyncio does not call this when a connection ends during the handshake
            return
        self._transport = cast(asyncio.Transport, secured)
        self.connection.secured()
        self.flush()
