"""One connection to Redis receives the announcements for all sockets of the process.

An announcement arrives at most once, and none arrives while Redis is away: the table is the truth, and the heartbeats
of `inbox.live.heartbeats` find what was lost.
"""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Callable, Iterable, Mapping
from itertools import count, islice
from typing import Any

import orjson
import redis
import structlog
from redis.asyncio.connection import AbstractConnection

from inbox.store.announcements import recipient_of, topic
from notifier.delivery.infra.redis import async_pool

log = structlog.get_logger("inbox")

Receive = Callable[[uuid.UUID, Mapping[str, Any]], None]
RECONNECT_SECONDS = 1.0
#: the TCP connection, TLS and the first commands take less
CONNECT_SECONDS = 10.0
#: a connection on which Redis answers no PING for so long is dead
PING_SECONDS = 10.0
#: topics of one SUBSCRIBE
TOPICS = 500


class Subscriber:
    """`receive` gets each announcement of a subscribed inbox. `reconnected` is called after a loss of the connection:
    announcements may have been lost meanwhile."""

    def __init__(self, receive: Receive, reconnected: Callable[[], None]) -> None:
        self._receive, self._reconnected = receive, reconnected
        self._topics: set[str] = set()
        self._connection: AbstractConnection | None = None
        self._sending = asyncio.Lock()
        self._pings: dict[bytes, asyncio.Future[None]] = {}
        self._numbers = count(1)
        self._task = asyncio.create_task(self._run())

    async def subscribe(self, recipients: Iterable[uuid.UUID], seconds: float) -> bool:
        """Subscribe to these inboxes. True once Redis has confirmed it; False after so many seconds, or while Redis is
        away: the subscription then follows."""
        topics = [topic(recipient_id) for recipient_id in recipients]
        self._topics.update(topics)
        try:
            return await asyncio.wait_for(self._confirmed("SUBSCRIBE", topics), seconds)
        except TimeoutError:
            await self._drop()  # Redis is frozen: the next hellos do not wait for it
            return False
        except (redis.RedisError, OSError):
            return False

    async def unsubscribe(self, recipients: Iterable[uuid.UUID]) -> None:
        topics = [topic(recipient_id) for recipient_id in recipients]
        self._topics.difference_update(topics)
        try:
            await self._send("UNSUBSCRIBE", topics)
        except (redis.RedisError, OSError):
            return  # a new connection subscribes to the remaining topics only

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.disconnect(nowait=True)

    async def _confirmed(self, command: str, topics: Iterable[str]) -> bool:
        if self._connection is None:
            return False
        await self._send(command, topics)
        await self._ping()
        return True

    async def _send(self, command: str, topics: Iterable[str]) -> None:
        remaining = iter(topics)
        async with self._sending:
            while (connection := self._connection) is not None and (some := list(islice(remaining, TOPICS))):
                await connection.send_command(command, *some)

    async def _ping(self) -> None:
        """Redis answers commands in order: its answer to a PING confirms the commands before."""
        payload = b"%d" % next(self._numbers)
        answer = self._pings[payload] = asyncio.get_running_loop().create_future()
        try:
            async with self._sending:
                if self._connection is None:
                    raise ConnectionError
                await self._connection.send_command("PING", payload)
            await answer
        finally:
            self._pings.pop(payload, None)

    async def _run(self) -> None:
        lost = False
        while True:
            # RESP2: an announcement is then a plain array
            pool = async_pool(protocol=2, socket_timeout=None, socket_connect_timeout=2.0)
            connection = pool.make_connection()  # type: ignore[no-untyped-call]
            try:
                # also ends a server that accepts the connection and then answers no command
                await asyncio.wait_for(connection.connect(), CONNECT_SECONDS)
                await self._follow(connection, lost)
            except Exception as error:  # redis-py raises exceptions of its own, of asyncio and of the OS
                log.warning("not subscribed", action="inbox.subscribe", error=type(error).__name__)
            finally:
                self._connection, lost = None, True
                self._fail_pings()
                await connection.disconnect(nowait=True)
            await asyncio.sleep(RECONNECT_SECONDS * random.uniform(0.5, 1.5))  # noqa: S311

    async def _follow(self, connection: AbstractConnection, lost: bool) -> None:
        self._connection = connection
        reading = asyncio.create_task(self._read(connection))
        try:
            await self._keep_subscribed(lost, reading)
        finally:
            reading.cancel()

    async def _keep_subscribed(self, lost: bool, reading: asyncio.Task[None]) -> None:
        if not await asyncio.wait_for(self._confirmed("SUBSCRIBE", list(self._topics)), PING_SECONDS):
            raise ConnectionError("The connection was dropped.")
        if lost:
            self._reconnected()
        while True:
            await asyncio.wait([reading], timeout=PING_SECONDS)
            if reading.done():
                reading.result()
            await asyncio.wait_for(self._ping(), PING_SECONDS)

    async def _read(self, connection: AbstractConnection) -> None:
        try:
            while True:
                self._take(await connection.read_response(disable_decoding=True, timeout=None))
        finally:
            self._fail_pings()

    def _take(self, reply: Any) -> None:
        match reply:
            case [b"message", name, content]:
                self._take_announcement(name, content)
            case [b"pong", payload] | (bytes() as payload):
                if (answer := self._pings.get(payload)) is not None and not answer.done():
                    answer.set_result(None)

    def _take_announcement(self, name: bytes, content: bytes) -> None:
        try:
            self._receive(recipient_of(name), orjson.loads(content))
        except Exception:
            # one announcement must not end those of other inboxes; a heartbeat finds what it told
            log.exception("announcement failed", action="inbox.announcement")

    def _fail_pings(self) -> None:
        for answer in self._pings.values():
            if not answer.done():
                answer.set_exception(ConnectionError("Redis closed the connection."))
