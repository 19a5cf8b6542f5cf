"""One far end: what waits for it and the connections that carry it. Everything here runs in the loop's thread."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from notifier.transport.allowance import Allowance
from notifier.transport.completions import WITHDRAWN, PendingBatch
from notifier.transport.h2.batches import BatchCursor
from notifier.transport.h2.connection import STREAMS_CAP, STREAMS_UNSAID, Finished
from notifier.transport.h2.link import Link, NotHttp2, connect
from notifier.transport.h2.request_headers import Endpoint
from notifier.vocabulary.http import TransportError

CONNECT_TIMEOUT = 5.0
#: connections in a row that ended young and carried nothing; then the far end counts as unreachable
BARREN, YOUNG = 3, 1.0
PAUSE = 1.0  #: seconds without further attempts after a failed one, while other connections carry on
#: how often a request that the far end says it did not process is sent again, before its sender is asked. A connection
#: that goes away refuses what came too late for it, which is nothing against the request: nginx does so every
#: `keepalive_requests`. A stream refused by a connection that stays says that the far end has enough.
AGAIN_REFUSED, AGAIN_GONE = 2, 20
REMEMBER_NO_H2 = 600.0  #: seconds for which a far end that chose another protocol is not asked again
#: seconds for which a warmed connection that the far end closes is opened again: nginx closes one that carried nothing
#: after 60 s (client_header_timeout), whatever PINGs it is sent
KEEP_WARM = 600.0
REOPEN = 5.0  #: seconds at least from one such opening to the next

log = logging.getLogger("notifier.transport")


@dataclass(frozen=True)
class Means:
    """What all far ends of a wire share. `no_h2` is given the runs of a far end that does not speak HTTP/2."""

    context: ssl.SSLContext
    connections: int  #: to one far end, at most
    no_h2: Callable[[BatchCursor], None]


class Origin:
    def __init__(self, place: Endpoint, means: Means) -> None:
        self._place, self._means = place, means
        self._loop = asyncio.get_running_loop()
        self._runs: deque[BatchCursor] = deque()
        self._links: list[Link] = []  #: open, or being opened
        self._leaving: list[Link] = []  #: finishing what they carry
        self._opening: set[asyncio.Task[None]] = set()
        self._moved = self._loop.time()  #: when a request last began or ended
        self._barren = 0
        self._no_h2_until = self._paused_until = 0.0
        self._warm_until = self._reopen_at = 0.0
        self._warming: list[Callable[[int], None]] = []
        self._allowance = Allowance(STREAMS_CAP)  #: streams a connection, whatever SETTINGS allow

    # -- work comes --

    def submit(self, run: BatchCursor) -> None:
        run.queued = self._loop.time()
        if run.queued < self._no_h2_until:
            self._means.no_h2(run)
            return
        self._runs.append(run)
        self._carry_on()

    def withdraw(self, pending: PendingBatch) -> None:
        for run in self._runs:
            if run.pending is pending:
                run.refuse(WITHDRAWN)

    def warm(self, told: Callable[[int], None]) -> None:
        """Open all connections, and say how many there are; keep them for a while."""
        now = self._loop.time()
        self._warm_until, self._reopen_at = now + KEEP_WARM, now + REOPEN
        if now >= self._no_h2_until:
            self._open(self._means.connections - len(self._links))
        self._warming.append(told)
        self._tell_warm()

    def fill(self, link: Link, *, patient: bool = True) -> None:
        """Begin what the connection has room for; runs take turns, so that none waits for another."""
        runs, now = self._runs, self._loop.time()
        while runs:
            run = runs[0]
            if run.pending.withdrawn:
                run.refuse(WITHDRAWN)
            if not run.left:
                runs.popleft()
                continue
            room = self._room(link, run.next_size, patient=patient)
            if room <= 0:
                return
            link.connection.begin(run.load.template, *run.take(room, now))
            self._moved = now
            runs.rotate(-1)

    def _room(self, link: Link, size: int = 0, *, patient: bool = False) -> int:
        """How many requests it may begin now; none where it is not positive."""
        return min(link.room(size, patient=patient), self._allowance.limit - link.connection.under_way)

    # -- answers come --

    def finished(self, link: Link, answers: Sequence[Finished]) -> None:
        """Hand answers to their jobs; queue again what was refused unprocessed."""
        if link.connection.refusing:
            link.connection.refusing = False
            self._allowance.refuse(link.connection.under_way + len(answers))
        else:
            self._allowance.answer(len(answers))
        touched: list[BatchCursor] = []
        refused: dict[BatchCursor, list[tuple[int, TransportError]]] = {}
        for (run, index, _), answer in answers:
            if type(answer) is TransportError and not answer.begun:
                refused.setdefault(run, []).append((index, answer))
                continue
            if not run.fresh:
                touched.append(run)
            run.fresh.append((index, answer))
        for run in touched:
            fresh, run.fresh = run.fresh, []
            run.pending.put(fresh)
        for run, some in refused.items():
            self._again(run, some, AGAIN_GONE if link.connection.draining else AGAIN_REFUSED)
        if touched:
            self._moved, self._barren = self._loop.time(), 0

    def _again(self, run: BatchCursor, refused: list[tuple[int, TransportError]], most: int) -> None:
        repeated = run.again([index for index, _ in refused], most)
        if repeated is None:
            run.pending.put(refused)
        else:
            repeated.queued = self._loop.time()
            self._runs.appendleft(repeated)
            self._loop.call_soon(self._carry_on)

    def _carry_on(self) -> None:
        for link in self._links:
            self.fill(link)
            link.flush()
        self._open_for_need()

    def _refuse_all(self, broken: TransportError) -> None:
        """Nothing of what waits has begun, and nothing of it will."""
        while self._runs:
            self._runs.popleft().refuse(broken)

    # -- connections --

    def retire(self, link: Link) -> None:
        """It takes no new requests and finishes what it carries; another takes its place."""
        if link in self._links:
            self._links.remove(link)
            self._leaving.append(link)
            self._open_for_need()

    def _open_for_need(self) -> None:
        waiting = sum(run.left for run in self._runs)
        each = min((link.connection.limit for link in self._links if link.connection.ready), default=STREAMS_UNSAID)
        wanted = min(self._means.connections, -(-waiting // max(1, min(each, self._allowance.limit))))
        self._open(wanted - sum(1 for link in self._links if self._room(link) > 0 or not link.connection.ready))

    def _open(self, number: int) -> None:
        if self._links and self._loop.time() < self._paused_until:
            return
        for _ in range(min(number, self._means.connections - len(self._links))):
            link = Link(self, self._loop)
            self._links.append(link)
            task = self._loop.create_task(self._connect(link))
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    async def _connect(self, link: Link) -> None:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                await connect(link, (self._place.host, self._place.port), self._means.context)
        except NotHttp2:
            self._no_h2_until = self._loop.time() + REMEMBER_NO_H2
            while self._runs:
                self._means.no_h2(self._runs.popleft())
            self._failed(link, TransportError(False, "no h2"))
        except (OSError, ValueError) as error:
            self._failed(link, TransportError(False, f"cannot connect: {error or type(error).__name__}"[:200]))
        else:
            self._tell_warm()

    def _failed(self, link: Link, broken: TransportError) -> None:
        link.abort()
        self._drop(link)
        self._paused_until = self._loop.time() + PAUSE
        if not self._links:
            self._refuse_all(broken)
        self._tell_warm()

    def gone(self, link: Link) -> None:
        """A connection ended; its requests have been answered."""
        if link not in self._links and link not in self._leaving:
            return
        if not link.connection.ready:
            return  # its opening failed: `_connect` says so
        self._drop(link)
        if not link.connection.begun and self._loop.time() - link.born < YOUNG:
            self._barren += 1
        if self._barren >= BARREN:
            self._barren = 0
            self._refuse_all(TransportError(False, "the far end closes its connections at once"))
        self._open_for_need()

    def _drop(self, link: Link) -> None:
        for links in (self._links, self._leaving):
            if link in links:
                links.remove(link)

    def _tell_warm(self) -> None:
        if not self._warming or any(not link.connection.ready for link in self._links):
            return
        warming, self._warming = self._warming, []
        for told in warming:
            told(len(self._links))

    # -- time passes --

    def sweep(self, now: float) -> bool:
        """False when nothing is left of it."""
        for link in [*self._links, *self._leaving]:
            link.sweep(now)
        for run in list(self._runs):
            if now - max(run.queued, self._moved) > run.load.template.head.timeout:
                run.refuse(TransportError(False, "no stream came free within the timeout"))
        for link in [link for link in self._links if link.connection.draining]:
            self.retire(link)
        while self._runs and not self._runs[0].left:
            self._runs.popleft()
        if self._runs:
            self._open_for_need()
        warm = now < self._warm_until and now >= self._no_h2_until
        if warm and now >= self._reopen_at and len(self._links) < self._means.connections:
            self._reopen_at = now + REOPEN
            self._open(self._means.connections)
        return bool(self._links or self._leaving or self._runs or warm or now < self._no_h2_until)
