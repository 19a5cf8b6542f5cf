"""The one thread of a process that drives all HTTP/2 and SMTP connections, for the life of the process."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable
from typing import Any

import uvloop

from notifier.transport.completions import PendingBatch

TICK = 0.1  #: seconds between looks at deadlines; no request has a timer of its own

THREAD_ENDED = "the thread of the connections ended"

log = logging.getLogger("notifier.transport")


class Reactor:
    def __init__(self) -> None:
        self.pid = os.getpid()
        self.dead = False
        self.loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
        self.pendings: set[PendingBatch] = set()  #: not answered completely yet
        self.sweeps: list[Callable[[float], None]] = []
        threading.Thread(target=self._run, name="notifier-h2", daemon=True).start()

    def call(self, function: Callable[..., None], *args: Any) -> None:
        """From any thread: run `function` in the reactor's thread."""
        self.loop.call_soon_threadsafe(function, *args)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.call_later(TICK, self._tick)
        try:
            self.loop.run_forever()
        finally:
            self.dead = True
            log.error(THREAD_ENDED)
            for pending in list(self.pendings):
                pending.fail(THREAD_ENDED)

    def _tick(self) -> None:
        self.loop.call_later(TICK, self._tick)
        now = self.loop.time()
        for sweep in self.sweeps:
            sweep(now)


_current: Reactor | None = None
_inherited: list[Reactor] = []  #: of the parent process; never collected: closing its loop would disturb the parent's
_starting = threading.Lock()


def reactor() -> Reactor:
    """The reactor of this process, started on first use."""
    global _current
    current = _current
    if current is None or current.dead or current.pid != os.getpid():
        with _starting:
            current = _current
            if current is None or current.dead or current.pid != os.getpid():
                current = _current = Reactor()
    return current


def _after_fork() -> None:
    global _current, _starting
    if _current is not None:
        _inherited.append(_current)
    _current, _starting = None, threading.Lock()


os.register_at_fork(after_in_child=_after_fork)
