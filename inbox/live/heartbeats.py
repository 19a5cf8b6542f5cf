"""Checks open sockets against the database: one statement for all that are due. Each then gets a heartbeat.

The check finds tokens that no longer open the inbox, and messages whose announcement was lost.
"""

from __future__ import annotations

import asyncio
import functools
import random
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Protocol

import structlog

from inbox.live import limits
from inbox.live.database import CHECK_SECONDS, check_in_thread, chunks, tenants_of
from inbox.store.standing import Checked, check
from inbox.tokens import Claimed
from tenants.access import scope

log = structlog.get_logger("inbox")

#: a check that failed is repeated so soon
RETRY_SECONDS = 5.0


class Due(Protocol):
    """A socket that is checked. `tick`: when it is due, in ticks of the clock; 0 for a closed socket. The methods do
    not raise."""

    tick: int

    @property
    def claimed(self) -> Claimed: ...

    def take_check(self, checked: Checked | None) -> None:
        """The recipient as the table has it now; None if the tenant has no such recipient."""

    def check_failed(self) -> None:
        """The database does not answer."""


class Heartbeats:
    """When each socket of the process is due."""

    def __init__(self) -> None:
        self._due: defaultdict[int, set[Due]] = defaultdict(set)
        self._at = _tick(0)
        self._task = asyncio.create_task(self._run())

    def schedule(self, socket: Due, seconds: float) -> None:
        """Check the socket in so many seconds, instead of at the time that was set before."""
        self.forget(socket)
        socket.tick = max(_tick(seconds), self._at + 1)
        self._due[socket.tick].add(socket)

    def schedule_next(self, socket: Due) -> None:
        # a random interval, so that sockets that were opened together do not query the database together for ever
        self.schedule(socket, limits.HEARTBEAT_SECONDS * random.uniform(0.8, 1.2))  # noqa: S311

    def forget(self, socket: Due) -> None:
        """Check the socket no more."""
        if socket.tick in self._due:
            self._due[socket.tick].discard(socket)
        socket.tick = 0

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(limits.TICK_SECONDS)
            before, self._at = self._at, _tick(0)
            due = [socket for at in range(before + 1, self._at + 1) for socket in self._due.pop(at, ())]
            # one limit for all chunks: a database that hangs must not keep the last of 24 chunks waiting for 12 minutes
            until = asyncio.get_running_loop().time() + CHECK_SECONDS
            for chunk in chunks(due, limits.CHECKS):
                await self._check(chunk, until)

    async def _check(self, sockets: Sequence[Due], until: float) -> None:
        try:
            async with asyncio.timeout_at(until):
                by_id = await check_in_thread(functools.partial(_checked, sockets))
        except Exception as error:  # the pool's errors are no errors of the database
            log.warning("sockets not checked", action="inbox.check", sockets=len(sockets), error=type(error).__name__)
            for socket in [socket for socket in sockets if socket.tick]:
                self.schedule(socket, RETRY_SECONDS * random.uniform(0.8, 1.2))  # noqa: S311
                socket.check_failed()
            return
        for socket in [socket for socket in sockets if socket.tick]:
            self.schedule_next(socket)
            socket.take_check(by_id.get(socket.claimed))


def _checked(sockets: Sequence[Due]) -> Mapping[Claimed, Checked]:
    with scope(*tenants_of(sockets)):
        return check({socket.claimed.recipient_id for socket in sockets})


def _tick(seconds: float) -> int:
    return int((time.monotonic() + seconds) / limits.TICK_SECONDS)
