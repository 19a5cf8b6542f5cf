"""The door of the bulk HTTP/2 client: what its callers' threads and its loop's thread share.

Measured on two shared cores, POSTs of 400 bytes over TLS with four connections, the server on the same machine, h2load
in the same minute: two volleys of 200 kept on their way by one thread 172-230 k/s to nghttpd (h2load: 174-205 k/s), one
large volley 224 k/s; 60 k/s to nginx (49-58 k/s). Of CPU 3.1-3.7 µs a message to nghttpd, of which the protocol in
Python is 1.3 (reading 0.6, making frames 0.5), TLS a tenth and the kernel a quarter (perf); 10-11 µs to nginx, which
writes TLS records for each answer: a third in the kernel, a fifth in TLS. `exchange` 73-98 k/s to nghttpd, 10 µs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from notifier.transport.base import CONNECTIONS, BaseClient
from notifier.transport.completions import PendingBatch
from notifier.transport.h2.batches import Batch, BatchCursor
from notifier.transport.h2.link import tls
from notifier.transport.h2.origin import CONNECT_TIMEOUT, Means, Origin
from notifier.transport.h2.reactor import Reactor, reactor
from notifier.transport.h2.request_headers import (
    BAD_PATH,
    Unsendable,
    encoded,
    endpoint_of,
    refusal,
    sendable_path,
    split,
)
from notifier.vocabulary.http import Answered, Request, RequestTemplate, TransportError

Headers = tuple[tuple[str, str], ...]


class Http2Client(BaseClient):
    """HTTP/2 over TLS only, connections kept."""

    def __init__(self, trust: str | None = None, connections: int = CONNECTIONS) -> None:
        super().__init__(trust, connections)
        self._pool: Pool | None = None

    def warm(self, origin: str) -> int:
        told, count = threading.Event(), [0]

        def tell(number: int) -> None:
            count[0] = number
            told.set()

        try:
            endpoint_of(origin)
        except Unsendable:
            return 0
        pool = self._running()
        pool.reactor.call(pool.warm, origin, tell)
        told.wait(2 * CONNECT_TIMEOUT)
        return count[0]

    def after_fork(self) -> None:
        super().after_fork()
        self._pool = None

    # -- jobs --

    def begin(self, pending: PendingBatch, requests: Sequence[Request]) -> None:
        loads, unsendable = _loads(requests)
        pending.put(unsendable)
        self._send(pending, loads)

    def launch(
        self, pending: PendingBatch, head: RequestTemplate, bodies: Sequence[bytes], paths: Sequence[bytes] | None
    ) -> None:
        indexes: Sequence[int] = range(len(bodies))
        try:
            shape = encoded(head, paths is not None)
        except Unsendable as error:
            pending.refuse(indexes, refusal(error))
            return
        if paths is not None and (bad := [index for index in indexes if not sendable_path(paths[index])]):
            pending.refuse(bad, refusal(Unsendable(BAD_PATH)))
            indexes = sorted({*indexes} - {*bad})
            paths, bodies = [paths[index] for index in indexes], [bodies[index] for index in indexes]
        self._send(pending, {head.origin: [Batch(shape, indexes, paths, bodies, whole=False)]})

    def retract(self, pending: PendingBatch) -> None:
        pool = self._running()
        pool.reactor.call(pool.withdraw, pending)

    def no_h2(self, run: BatchCursor) -> None:
        """What becomes of requests to a far end that speaks HTTP/1.1 only. In the loop's thread."""
        run.refuse(TransportError(False, "no h2"))

    def retracted(self, pending: PendingBatch) -> None:
        """In the loop's thread: nothing more of it will begin here."""

    def _send(self, pending: PendingBatch, loads: dict[str, list[Batch]]) -> None:
        if not loads:
            return
        pool = self._running()
        pending.kept_in(pool.reactor.pendings)
        for origin, some in loads.items():
            pool.reactor.call(pool.submit, origin, [BatchCursor(pending, load) for load in some])
        if pool.reactor.dead:  # it went down between our look and now
            pending.fail("the HTTP/2 thread ended")

    def _running(self) -> Pool:
        current, pool = reactor(), self._pool
        if pool is None or pool.reactor is not current:
            pool = self._pool = Pool(current, self)
        return pool


class Pool:
    """The far ends of one wire in one process. Everything but the constructor runs in the loop's thread."""

    def __init__(self, current: Reactor, client: Http2Client) -> None:
        self.reactor = current
        self._client = client
        self._means = Means(tls(client.trust), client.connections, client.no_h2)
        self._origins: dict[str, Origin] = {}
        current.call(current.sweeps.append, self._sweep)

    def submit(self, origin: str, runs: Sequence[BatchCursor]) -> None:
        for run in runs:
            self._origin(origin).submit(run)

    def withdraw(self, pending: PendingBatch) -> None:
        for origin in self._origins.values():
            origin.withdraw(pending)
        self._client.retracted(pending)

    def warm(self, origin: str, told: Callable[[int], None]) -> None:
        self._origin(origin).warm(told)

    def _origin(self, name: str) -> Origin:
        found = self._origins.get(name)
        if found is None:
            found = self._origins[name] = Origin(endpoint_of(name), self._means)
        return found

    def _sweep(self, now: float) -> None:
        for name in [name for name, origin in self._origins.items() if not origin.sweep(now)]:
            del self._origins[name]


def _loads(requests: Sequence[Request]) -> tuple[dict[str, list[Batch]], list[Answered]]:
    """Requests grouped by what they share; those that can never leave apart."""
    groups: dict[tuple[str, str, Headers, float], list[tuple[int, bytes]]] = {}
    unsendable: list[Answered] = []
    places: dict[str, tuple[str, bytes]] = {}
    for index, request in enumerate(requests):
        try:
            origin, path = places.get(request.url) or places.setdefault(request.url, split(request.url))
        except Unsendable as error:
            unsendable.append((index, refusal(error)))
            continue
        groups.setdefault((request.method, origin, request.headers, request.timeout), []).append((index, path))
    loads: dict[str, list[Batch]] = {}
    for (method, origin, headers, timeout), members in groups.items():
        indexes, paths = [index for index, _ in members], [path for _, path in members]
        varies = len(set(paths)) > 1
        try:
            shape = encoded(
                RequestTemplate(method, origin, "" if varies else paths[0].decode(), headers, timeout), varies
            )
        except Unsendable as error:
            unsendable += [(index, refusal(error)) for index in indexes]
            continue
        bodies = [requests[index].body for index in indexes]
        loads.setdefault(origin, []).append(Batch(shape, indexes, paths if varies else None, bodies, whole=True))
    return loads, unsendable
