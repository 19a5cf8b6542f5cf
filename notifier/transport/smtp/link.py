"""One TCP connection to an SMTP server: asyncio's callbacks on one side, the protocol as a function on the other."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from typing import Protocol, cast

from notifier.transport.smtp.connection import Connection, Finished, Security
from notifier.transport.smtp.settings import Settings

IDLE = 30.0  #: seconds without a message after which we say good-bye; servers do so after 300 (RFC 5321 §4.5.3.2.7)
FAREWELL = 2.0  #: seconds that the server may take to answer QUIT
BUFFERED = 256 * 1024  #: bytes not yet taken by the socket at which no further message is begun


class Owner(Protocol):
    def finished(self, link: Link, answers: Sequence[Finished]) -> None: ...
    def fill(self, link: Link) -> None: ...
    def gone(self, link: Link) -> None: ...


class Link(asyncio.Protocol):
    def __init__(self, owner: Owner, settings: Settings, context: ssl.SSLContext) -> None:
        self.connection = Connection(settings.hello, settings.security, settings.login)
        self._owner, self._settings, self._context = owner, settings, context
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._upgrade: asyncio.Task[None] | None = None
        self._full = False
        self._why = ""
        self.used = self._loop.time()

    @property
    def room(self) -> int:
        return 0 if self._full else self.connection.room

    async def open(self) -> None:
        """Connect; the greeting comes later. Raises OSError."""
        host, secure = self._settings.host, self._settings.security is Security.TLS
        await self._loop.create_connection(
            lambda: self,
            host,
            self._settings.port,
            ssl=self._context if secure else None,
            server_hostname=host if secure else None,
        )

    def flush(self) -> None:
        if self._transport is not None and (data := self.connection.written()):
            self._transport.write(data)

    def abort(self, why: str) -> None:
        self._why = why
        if self._transport is not None:
            self._transport.abort()

    def sweep(self, now: float) -> None:
        """Deadlines, and the end of a connection that nobody uses."""
        connection = self.connection
        if connection.under_way:
            self.used = now
        if connection.overdue(now):
            self.abort("no answer within the timeout")
        elif connection.draining and now - self.used > FAREWELL:
            self.abort("the server did not answer QUIT")
        elif now - self.used > IDLE or (connection.draining and not connection.under_way):
            connection.leave()
            self.flush()

    # -- asyncio calls these --

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=BUFFERED)

    def data_received(self, data: bytes) -> None:
        connection = self.connection
        answers = connection.receive(data)
        if connection.wants_tls:
            self._upgrade = self._loop.create_task(self._start_tls())
            return
        if connection.carried >= self._settings.per_connection:
            connection.draining = True
        self._owner.fill(self)
        if connection.draining and not connection.under_way:
            connection.leave()
        self.flush()
        if answers:  # after the next messages are out: this wakes the thread that waits for the answers
            self._owner.finished(self, answers)
        if connection.closed and self._transport is not None:
            self._transport.close()

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        self._owner.fill(self)
        self.flush()

    def connection_lost(self, error: Exception | None) -> None:
        why = self._why or (f"connection lost: {error}" if error else "the server closed the connection")
        self._transport = None
        self._owner.finished(self, self.connection.lost(why[:200]))
        self._owner.gone(self)

    async def _start_tls(self) -> None:
        assert self._transport is not None
        try:
            secured = await self._loop.start_tls(
                self._transport, self, self._context, server_hostname=self._settings.host
            )
        except (OSError, ValueError) as error:
            self.abort(f"STARTTLS failed: {error}")
            return
        self._transport = cast(asyncio.Transport, secured)
        self.connection.secured()
        self.flush()
