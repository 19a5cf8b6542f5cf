"""The bulk HTTP/2 client: what callers' threads and the reactor's thread share.

Measured on two shared cores, POSTs of 400 bytes over TLS with four connections, the server on the same machine, h2load
in the same minute: two batches of 200 kept in flight by one thread 172-230 k/s to nghttpd (h2load: 174-205 k/s), one
large batch 224 k/s; 60 k/s to nginx (49-58 k/s). CPU a message: 3.1-3.7 µs to nghttpd, of which the protocol in Python
takes 1.3 (reading 0.6, building frames 0.5), TLS a tenth and the kernel a quarter (perf); 10-11 µs to nginx, which
writes TLS records for each answer: a third in the kernel, a fifth in TLS. `exchange` 73-98 k/s to nghttpd, 10 µs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from notifier.transport.base import CONNECTIONS, BaseClient
from notifier.transport.completions import PendingBatch
from notifier.transport.h2.batches import Batch, BatchCursor
from notifier.transport.h2.grouping import group
from notifier.transport.h2.link import tls_context
from notifier.transport.h2.options import DEFAULT_TIMES, MOST_CONNECTIONS, ClientOptions, Times
from notifier.transport.h2.origin import CONNECT_TIMEOUT, Origin
from notifier.transport.h2.protocol.encoded_rows import unsendable_rows
from notifier.transport.h2.protocol.request_headers import Unsendable, encode_template, parse_endpoint
from notifier.transport.h2.reactor import THREAD_ENDED, Reactor, reactor
from notifier.vocabulary.http import Request, RequestRows, RequestTemplate, TransportError


class Http2Client(BaseClient):
    """HTTP/2 over TLS only, connections kept."""

    def __init__(
        self,
        trust: str | None = None,
        connections: int = CONNECTIONS,
        times: Times = DEFAULT_TIMES,
        most_connections: int = MOST_CONNECTIONS,
    ) -> None:
        super().__init__(trust, connections)
        self._times, self.most_connections = times, most_connections
        self._pool: Pool | None = None

    def warm(self, origin: str, pool: str = "") -> int:
        done, count = threading.Event(), [0]

        def report(number: int) -> None:
            count[0] = number
            done.set()

        try:
            parse_endpoint(origin)
        except Unsendable:
            return 0
        running = self._running_pool()
        running.reactor.call(running.warm, (origin, pool), report)
        done.wait(2 * CONNECT_TIMEOUT)
        return count[0]

    def after_fork(self) -> None:
        super().after_fork()
        self._pool = None

    # -- pending batches --

    def start_exchange(self, pending: PendingBatch, requests: Sequence[Request]) -> None:
        batches, unsendable = group(requests)
        pending.put(unsendable)
        self._send(pending, batches)

    def start_batch(self, pending: PendingBatch, template: RequestTemplate, rows: RequestRows) -> None:
        indexes: Sequence[int] = range(len(rows.bodies))
        try:
            encoded = encode_template(template, rows.paths is not None)
        except Unsendable as error:
            pending.refuse(indexes, error.as_answer())
            return
        if bad := unsendable_rows(rows):
            pending.put([(index, error.as_answer()) for index, error in bad.items()])
            indexes = [index for index in indexes if index not in bad]
            rows = rows.pick(indexes)
        self._send(pending, [Batch(encoded, indexes, rows, whole=False)])

    def withdraw(self, pending: PendingBatch) -> None:
        pool = self._running_pool()
        pool.reactor.call(pool.withdraw, pending)

    def without_h2(self, cursor: BatchCursor) -> None:
        """Handle requests to a server that speaks only HTTP/1.1: refuse them here. Runs in the reactor's thread."""
        cursor.refuse(TransportError(False, "no h2"))

    def after_withdraw(self, pending: PendingBatch) -> None:
        """Called in the reactor's thread once nothing more of the batch begins here. Does nothing here."""

    def _send(self, pending: PendingBatch, batches: Sequence[Batch]) -> None:
        if not batches:
            return
        pool = self._running_pool()
        pending.register_in(pool.reactor.pendings)
        pool.reactor.call(pool.submit, [BatchCursor(pending, batch) for batch in batches])
        if pool.reactor.dead:  # the thread ended after `_running_pool` looked
            pending.fail(THREAD_ENDED)

    def _running_pool(self) -> Pool:
        current, pool = reactor(), self._pool
        if pool is None or pool.reactor is not current:
            pool = self._pool = Pool(current, self, self._times)
        return pool


class Pool:
    """The origins that one client sends to. Everything but the constructor runs in the reactor's thread."""

    def __init__(self, current: Reactor, client: Http2Client, times: Times) -> None:
        self.reactor = current
        self._client = client
        self._options = ClientOptions(
            tls_context(client.trust),
            client.connections,
            client.without_h2,
            self._make_room,
            times,
            bool(client.trust),
        )
        self._origins: dict[tuple[str, str], Origin] = {}  #: by URL and pool (Request.pool)
        current.call(current.sweeps.append, self._sweep)

    def submit(self, cursors: Sequence[BatchCursor]) -> None:
        for cursor in cursors:
            template = cursor.batch.encoded.template
            self._origin((template.origin, template.pool)).submit(cursor)

    def withdraw(self, pending: PendingBatch) -> None:
        for origin in self._origins.values():
            origin.withdraw(pending)
        self._client.after_withdraw(pending)

    def warm(self, origin: tuple[str, str], report: Callable[[int], None]) -> None:
        self._origin(origin).warm(report)

    def _origin(self, key: tuple[str, str]) -> Origin:
        origin = self._origins.get(key)
        if origin is None:
            origin = self._origins[key] = Origin(parse_endpoint(key[0]), self._options)
        return origin

    def _make_room(self) -> bool:
        links = [link for origin in self._origins.values() for link in origin.links]
        if len(links) < self._client.most_connections:
            return True
        idle = min((link for link in links if link.is_idle), key=lambda link: link.used_at, default=None)
        if idle is not None:
            idle.close_idle()
        return idle is not None

    def _sweep(self, now: float) -> None:
        for key in [key for key, origin in self._origins.items() if not origin.sweep(now)]:
            del self._origins[key]
