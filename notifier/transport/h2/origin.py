"""One server: what waits for it and the connections that carry it. Everything here runs in the reactor's thread."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from notifier.transport.allowance import Allowance
from notifier.transport.completions import PendingBatch
from notifier.transport.h2.batches import BatchCursor
from notifier.transport.h2.link import Link, NotHttp2, connect
from notifier.transport.h2.options import ClientOptions
from notifier.transport.h2.protocol.answers import Finished
from notifier.transport.h2.protocol.connection import DEFAULT_STREAMS, MAX_STREAMS
from notifier.transport.h2.protocol.request_headers import Endpoint
from notifier.vocabulary.http import WITHDRAWN, TransportError

CONNECT_TIMEOUT = 5.0
#: after so many connections in a row that ended within YOUNG_SECONDS and carried nothing, the server counts as
#: unreachable
EMPTY_CONNECTIONS, YOUNG_SECONDS = 3, 1.0
CONNECT_PAUSE = 1.0  #: seconds without further attempts after a failed one, while other connections carry on
#: how often a request that the server says it did not process is sent again before its sender gets the refusal. A
#: connection that goes away refuses what came too late for it, which says nothing about the request: nginx does so
#: every `keepalive_requests`. A stream refused by a connection that stays says that the server is overloaded.
REPEATS_REFUSED, REPEATS_GOAWAY = 2, 20
REMEMBER_WITHOUT_H2 = 600.0  #: seconds for which a server that chose another protocol is not offered HTTP/2 again


class Origin:
    def __init__(self, endpoint: Endpoint, options: ClientOptions) -> None:
        self._endpoint, self._options, self._times = endpoint, options, options.times
        self._loop = asyncio.get_running_loop()
        self._queue: deque[BatchCursor] = deque()
        self._links: list[Link] = []  #: open, or being opened
        self._draining: list[Link] = []  #: they take no new requests and finish what they carry
        self._opening: set[asyncio.Task[None]] = set()
        self._progress_at = self._loop.time()  #: when a request last began or ended
        self._empty_connections = 0
        self._without_h2_until = self._paused_until = 0.0
        self._warm_until = self._reopen_at = 0.0
        self._warming: list[Callable[[int], None]] = []
        self._allowance = Allowance(MAX_STREAMS)  #: streams a connection, whatever SETTINGS allow

    # -- requests come --

    def submit(self, cursor: BatchCursor) -> None:
        cursor.queued_at = self._loop.time()
        if cursor.queued_at < self._without_h2_until:
            self._options.without_h2(cursor)
            return
        self._queue.append(cursor)
        self._fill_all()

    def withdraw(self, pending: PendingBatch) -> None:
        for cursor in self._queue:
            if cursor.pending is pending:
                cursor.refuse(WITHDRAWN)

    def warm(self, report: Callable[[int], None]) -> None:
        """Open all connections, report how many are open, and keep them for `keep_warm` seconds."""
        now = self._loop.time()
        self._warm_until, self._reopen_at = now + self._times.keep_warm, now + self._times.reopen
        if now >= self._without_h2_until:
            self._open(self._options.connections - len(self._links))
        self._warming.append(report)
        self._report_warm()

    def fill(self, link: Link, *, whole_bodies: bool = True) -> None:
        """Begin as many requests as the connection has room for. Batches take turns, so that none waits for another."""
        cursors, now = self._queue, self._loop.time()
        while cursors:
            cursor = cursors[0]
            if cursor.pending.withdrawn:
                cursor.refuse(WITHDRAWN)
            if not cursor.left:
                cursors.popleft()
                continue
            room = self._room(link, cursor.next_size, whole_bodies=whole_bodies)
            if room <= 0:
                return
            link.connection.begin(cursor.batch.encoded, *cursor.take(room, now))
            self._progress_at = now
            cursors.rotate(-1)

    def _room(self, link: Link, size: int = 0, *, whole_bodies: bool = False) -> int:
        """How many requests the connection may begin now; none when the number is not positive."""
        return min(link.room(size, whole_bodies=whole_bodies), self._allowance.limit - link.connection.in_flight)

    # -- answers come --

    def finished(self, link: Link, answers: Sequence[Finished]) -> None:
        """Deliver answers to their pending batches; queue requests again that the server refused unprocessed."""
        if link.connection.overloaded:
            link.connection.overloaded = False
            self._allowance.refuse(link.connection.in_flight + len(answers))
        else:
            self._allowance.answer(len(answers))
        touched: list[BatchCursor] = []
        refused: dict[BatchCursor, list[tuple[int, TransportError]]] = {}
        for (cursor, index, _), answer in answers:
            if type(answer) is TransportError and not answer.begun:
                refused.setdefault(cursor, []).append((index, answer))
                continue
            if not cursor.answers:
                touched.append(cursor)
            cursor.answers.append((index, answer))
        for cursor in touched:
            delivered, cursor.answers = cursor.answers, []
            cursor.pending.put(delivered)
        for cursor, refusals in refused.items():
            self._requeue(cursor, refusals, REPEATS_GOAWAY if link.connection.draining else REPEATS_REFUSED)
        if touched:
            self._progress_at, self._empty_connections = self._loop.time(), 0

    def _requeue(self, cursor: BatchCursor, refusals: list[tuple[int, TransportError]], most: int) -> None:
        repeated = cursor.again([index for index, _ in refusals], most)
        if repeated is None:
            cursor.pending.put(refusals)
        else:
            repeated.queued_at = self._loop.time()
            self._queue.appendleft(repeated)
            self._loop.call_soon(self._fill_all)

    def _fill_all(self) -> None:
        for link in self._links:
            self.fill(link)
            link.flush()
        self._open_for_need()

    def _refuse_all(self, error: TransportError) -> None:
        """Refuse everything that waits; none of it has begun."""
        while self._queue:
            self._queue.popleft().refuse(error)

    # -- connections --

    @property
    def links(self) -> Sequence[Link]:
        """The connections that take requests."""
        return self._links

    def retire(self, link: Link) -> None:
        """The connection takes no new requests and finishes what it carries; another one replaces it."""
        if link in self._links:
            self._links.remove(link)
            self._draining.append(link)
            self._open_for_need()

    def _open_for_need(self) -> None:
        waiting = sum(cursor.left for cursor in self._queue)
        streams = min((link.connection.limit for link in self._links if link.connection.ready), default=DEFAULT_STREAMS)
        needed = min(self._options.connections, -(-waiting // max(1, min(streams, self._allowance.limit))))
        self._open(needed - sum(1 for link in self._links if self._room(link) > 0 or not link.connection.ready))

    def _open(self, number: int) -> None:
        if self._links and self._loop.time() < self._paused_until:
            return
        for _ in range(min(number, self._options.connections - len(self._links))):
            if not self._options.make_room() and self._links:
                return  # the requests wait for the connections that the origin has
            link = Link(self, self._loop, self._times)
            self._links.append(link)
            task = self._loop.create_task(self._connect(link))
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    async def _connect(self, link: Link) -> None:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                await connect(
                    link,
                    (self._endpoint.host, self._endpoint.port),
                    self._options.context,
                    trusted=self._options.trusted,
                )
        except NotHttp2:
            self._without_h2_until = self._loop.time() + REMEMBER_WITHOUT_H2
            while self._queue:
                self._options.without_h2(self._queue.popleft())
            self._failed(link, TransportError(False, "no h2"))
        except (OSError, ValueError) as error:
            self._failed(
                link, TransportError(False, f"cannot connect: {error or type(error).__name__}"[:200], unreachable=True)
            )
        else:
            self._report_warm()

    def _failed(self, link: Link, error: TransportError) -> None:
        link.abort()
        self._drop(link)
        self._paused_until = self._loop.time() + CONNECT_PAUSE
        if not self._links:
            self._refuse_all(error)
        self._report_warm()

    def lost(self, link: Link) -> None:
        """A connection ended, and its requests have been answered."""
        if link not in self._links and link not in self._draining:
            return
        if not link.connection.ready:
            return  # its opening failed: `_connect` handles that
        self._drop(link)
        if not link.connection.begun and self._loop.time() - link.opened_at < YOUNG_SECONDS:
            self._empty_connections += 1
        if self._empty_connections >= EMPTY_CONNECTIONS:
            self._empty_connections = 0
            self._refuse_all(TransportError(False, "the server closes its connections at once", unreachable=True))
        self._open_for_need()

    def _drop(self, link: Link) -> None:
        for links in (self._links, self._draining):
            if link in links:
                links.remove(link)

    def _report_warm(self) -> None:
        if not self._warming or any(not link.connection.ready for link in self._links):
            return
        reports, self._warming = self._warming, []
        for report in reports:
            report(len(self._links))

    # -- time passes --

    def sweep(self, now: float) -> bool:
        """False when the origin has nothing left to do and can be dropped."""
        for link in [*self._links, *self._draining]:
            link.sweep(now)
        for cursor in list(self._queue):
            if now - max(cursor.queued_at, self._progress_at) > cursor.batch.encoded.template.timeout:
                cursor.refuse(TransportError(False, "no stream came free within the timeout", disconnected=True))
        for link in [link for link in self._links if link.connection.draining]:
            self.retire(link)
        while self._queue and not self._queue[0].left:
            self._queue.popleft()
        if self._queue:
            self._open_for_need()
        warm = now < self._warm_until and now >= self._without_h2_until
        if warm and now >= self._reopen_at and len(self._links) < self._options.connections:
            self._reopen_at = now + self._times.reopen
            self._open(self._options.connections)
        return bool(self._links or self._draining or self._queue or warm or now < self._without_h2_until)
