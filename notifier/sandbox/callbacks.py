"""The calls by which fake services report to our receipts address, as the real providers call it.

A call never delays the answer of a fake service: it waits in a queue, CONCURRENCY calls are in flight at once, and a
call without a 2xx answer is repeated twice. A request to the sandbox names the address of its calls, so only the
loopback and the site's own origin may be called: everything else would let a client of the sandbox call any server.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import random
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from notifier.sandbox.http.client import HttpPost, Origin

CONCURRENCY = 16
PAUSES = (1.0, 5.0)  #: seconds before the second and the third attempt
TIMEOUT = 10.0  #: seconds of one attempt
SHUFFLE_SECONDS = 2.0
MOST = 100_000  #: calls that wait, those that are not due yet included
MOST_BYTES = 128 * 1024 * 1024

log = logging.getLogger("notifier.sandbox")


class Site(NamedTuple):
    """An origin that may be called, and where its server listens: a reverse proxy may stand before it."""

    origin: Origin
    at: Origin

    @classmethod
    def parse(cls, text: str) -> Site:
        """`https://notify.example.com`, or `https://notify.example.com=http://web:8000`."""
        origin, _, at = text.partition("=")
        return cls(Origin.parse(origin), Origin.parse(at or origin))


@dataclass(slots=True)
class Call:
    at: Origin
    url: str
    headers: Mapping[str, str]
    body: bytes
    attempts: int = 0


class Callbacks:
    """`post` queues a call. `report` counts calls: `sent` (2xx), `failed` (three attempts without 2xx), `dropped` (the
    queue was full), `refused` (the address may not be called)."""

    #: how often each call is repeated; all calls are shuffled then
    repeats = 0

    def __init__(self, sites: Iterable[Site] = (), pauses: Sequence[float] = PAUSES) -> None:
        self._sites = {site.origin: site for site in sites}
        self._http, self._pauses = HttpPost(), pauses
        self._queue = CallQueue(self._http, pauses)

    def reset(self) -> None:
        """Forget all counts and all calls."""
        self._queue.cancel()
        self._queue = CallQueue(self._http, self._pauses)

    def post(self, url: str, headers: Mapping[str, str], body: bytes, delay: float = 0.0) -> None:
        """Queue a call of `url`, at the earliest in `delay` seconds. Never raises: a call that cannot be made is
        counted."""
        if (at := self._address(url)) is not None:
            self._queue.add(Call(at, url, headers, body), self._shuffled(delay))
            for _ in range(self.repeats):
                self._queue.add(Call(at, url, headers, body), self._shuffled(delay))
        else:
            self._queue.counts["refused"] += 1
            log.warning("a callback was refused: only the loopback and the origins of --site may be called")

    def _shuffled(self, delay: float) -> float:
        return delay + random.uniform(0, SHUFFLE_SECONDS) if self.repeats else delay  # noqa: S311

    def report(self) -> dict[str, int]:
        queue = self._queue
        counts = {name: queue.counts[name] for name in ("sent", "failed", "dropped", "refused")}
        return counts | {"waiting": queue.size}

    def _address(self, url: str) -> Origin | None:
        """Where the server of this URL listens; None when it may not be called."""
        try:
            origin = Origin.parse(url)
        except ValueError:
            return None
        if (site := self._sites.get(origin)) is not None:
            return site.at
        return origin if _is_loopback(origin.host) else None


class CallQueue:
    """The calls from one reset to the next."""

    def __init__(self, http: HttpPost, pauses: Sequence[float]) -> None:
        self.counts: Counter[str] = Counter()
        self.size = 0  #: calls without an outcome
        self._bytes = 0
        self._http, self._pauses = http, pauses
        self._due: deque[Call] = deque()
        self._timers: set[asyncio.TimerHandle] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def add(self, call: Call, delay: float) -> None:
        if self.size >= MOST or self._bytes + len(call.body) > MOST_BYTES:
            self.counts["dropped"] += 1
            return
        self.size += 1
        self._bytes += len(call.body)
        self._schedule(call, delay)

    def cancel(self) -> None:
        for timer in self._timers:
            timer.cancel()
        for task in self._tasks:
            task.cancel()
        self._due.clear()

    def _schedule(self, call: Call, delay: float) -> None:
        if delay <= 0:
            self._enqueue(call)
            return

        def fire() -> None:
            self._timers.discard(timer)
            self._enqueue(call)

        timer = asyncio.get_running_loop().call_later(delay, fire)
        self._timers.add(timer)

    def _enqueue(self, call: Call) -> None:
        self._due.append(call)
        self._start()

    def _start(self) -> None:
        while self._due and len(self._tasks) < CONCURRENCY:
            task = asyncio.get_running_loop().create_task(self._attempt(self._due.popleft()))
            self._tasks.add(task)
            task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._start()

    async def _attempt(self, call: Call) -> None:
        call.attempts += 1
        try:
            status = await asyncio.wait_for(self._http.post(call.at, call.url, call.headers, call.body), TIMEOUT)
        except (OSError, ValueError, TimeoutError):
            status = 0
        if 200 <= status < 300:
            self._finish(call, "sent")
        elif call.attempts <= len(self._pauses):
            self._schedule(call, self._pauses[call.attempts - 1])
        else:
            self._finish(call, "failed")

    def _finish(self, call: Call, outcome: str) -> None:
        self.counts[outcome] += 1
        self.size -= 1
        self._bytes -= len(call.body)


def _is_loopback(host: str) -> bool:
    """Whether the host is `localhost` or a loopback address. A name is not looked up: its address may change."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
