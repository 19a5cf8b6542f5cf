"""The door of the bulk HTTP/2 client: `exchange` as every wire has it, `blast` for the hot path, `warm`.

Measured on two shared cores, POSTs of 400 bytes over TLS with four connections, the server on the same machine, h2load
just before and after: `blast` 212-222 k/s to nghttpd (h2load: 190-205 k/s), 3.4 µs of CPU a message; 46-60 k/s to nginx
(47-60 k/s), 15 µs, because nginx writes a TLS record for each answer. `exchange` 73-98 k/s to nghttpd, 10 µs. Of the
3.4 µs, half is TLS and system calls, a fifth reading answers, an eighth making frames (py-spy).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import cast

from notifier.transport.h2.heads import Head, Unsendable, checked_path, far_end, split, template
from notifier.transport.h2.job import Answered, Job, Load, Run
from notifier.transport.h2.link import tls
from notifier.transport.h2.origin import CONNECT_TIMEOUT, Origin
from notifier.transport.h2.reactor import Reactor, reactor
from notifier.transport.tokens import Tokens
from notifier.vocabulary import Broken, Request, Response, TokenRequest

CONNECTIONS = 4  #: to one far end

Headers = tuple[tuple[str, str], ...]


class H2Wire:
    """HTTP/2 over TLS only, connections kept. Any thread may call it. `trust`: a CA file beside the system's."""

    def __init__(self, trust: str | None = None, connections: int = CONNECTIONS) -> None:
        self._trust, self._connections = trust, connections
        self._pool: Pool | None = None
        self._tokens = Tokens(self._single)

    def exchange(self, requests: Sequence[Request]) -> Iterator[Sequence[tuple[int, Response | Broken]]]:
        """Send all; yield (index, answer) in batches as they come. Closing it early withdraws what has not begun."""
        job = Job(len(requests))
        loads, unsendable = _loads(requests)
        answers = self._run(job, loads, unsendable)
        return cast(Iterator[Sequence[tuple[int, Response | Broken]]], answers)

    def blast(
        self, head: Head, bodies: Sequence[bytes], paths: Sequence[bytes] | None = None
    ) -> Iterator[Sequence[Answered]]:
        """Send `bodies`, to head.path or to a path each; of a plain 200 only the status is told. Else as exchange."""
        job, everything = Job(len(bodies)), range(len(bodies))
        try:
            shape = template(head, paths is not None)
            _check_paths(paths or ())
        except Unsendable as error:
            return self._run(job, {}, [(index, _refusal(error)) for index in everything])
        return self._run(job, {head.origin: [Load(shape, everything, paths, bodies, whole=False)]}, [])

    def warm(self, origin: str, connections: int | None = None) -> int:
        """Open connections before they are needed; how many there are then. Raises Unsendable."""
        told, count = threading.Event(), [0]

        def tell(number: int) -> None:
            count[0] = number
            told.set()

        far_end(origin)
        pool = self._running()
        pool.reactor.call(pool.warm, origin, connections or self._connections, tell)
        told.wait(2 * CONNECT_TIMEOUT)
        return count[0]

    def token(self, wanted: TokenRequest) -> str:
        return self._tokens.get(wanted)

    def forget_token(self, cache_key: str) -> None:
        self._tokens.forget(cache_key)

    def after_fork(self) -> None:
        """In a child: keep nothing that the parent's threads may have held."""
        self._pool = None
        self._tokens = Tokens(self._single)

    def _single(self, request: Request) -> Response | Broken:
        return next(answer for batch in self.exchange([request]) for _, answer in batch)

    def _run(self, job: Job, loads: dict[str, list[Load]], unsendable: list[Answered]) -> Iterator[list[Answered]]:
        pool = self._running()
        pool.reactor.jobs.add(job)
        try:
            if unsendable:
                job.put(unsendable)
            for origin, some in loads.items():
                pool.reactor.call(pool.submit, origin, [Run(job, load) for load in some])
            while batch := job.take():
                yield batch
        finally:
            job.withdrawn = True
            pool.reactor.jobs.discard(job)

    def _running(self) -> Pool:
        current, pool = reactor(), self._pool
        if pool is None or pool.reactor is not current:
            pool = self._pool = Pool(current, self._trust, self._connections)
        return pool


class Pool:
    """The far ends of one wire in one process. Everything but the constructor runs in the loop's thread."""

    def __init__(self, current: Reactor, trust: str | None, connections: int) -> None:
        self.reactor = current
        self._context, self._connections = tls(trust), connections
        self._origins: dict[str, Origin] = {}
        current.call(current.sweeps.append, self._sweep)

    def submit(self, origin: str, runs: Sequence[Run]) -> None:
        for run in runs:
            self._origin(origin).submit(run)

    def warm(self, origin: str, connections: int, told: Callable[[int], None]) -> None:
        self._origin(origin).warm(connections, told)

    def _origin(self, name: str) -> Origin:
        found = self._origins.get(name)
        if found is None:
            found = self._origins[name] = Origin(far_end(name), self._context, self._connections)
        return found

    def _sweep(self, now: float) -> None:
        for name in [name for name, origin in self._origins.items() if not origin.sweep(now)]:
            del self._origins[name]


def _loads(requests: Sequence[Request]) -> tuple[dict[str, list[Load]], list[Answered]]:
    """Requests grouped by what they share; those that can never leave apart."""
    groups: dict[tuple[str, str, Headers, float], list[tuple[int, bytes]]] = {}
    unsendable: list[Answered] = []
    places: dict[str, tuple[str, bytes]] = {}
    for index, request in enumerate(requests):
        try:
            origin, path = places.get(request.url) or places.setdefault(request.url, split(request.url))
        except Unsendable as error:
            unsendable.append((index, _refusal(error)))
            continue
        groups.setdefault((request.method, origin, request.headers, request.timeout), []).append((index, path))
    loads: dict[str, list[Load]] = {}
    for (method, origin, headers, timeout), members in groups.items():
        indexes, paths = [index for index, _ in members], [path for _, path in members]
        varies = len(set(paths)) > 1
        try:
            shape = template(Head(method, origin, "" if varies else paths[0].decode(), headers, timeout), varies)
        except Unsendable as error:
            unsendable += [(index, _refusal(error)) for index in indexes]
            continue
        bodies = [requests[index].body for index in indexes]
        loads.setdefault(origin, []).append(Load(shape, indexes, paths if varies else None, bodies, whole=True))
    return loads, unsendable


def _check_paths(paths: Sequence[bytes]) -> None:
    for path in paths:
        checked_path(path)


def _refusal(error: Unsendable) -> Broken:
    return Broken(False, f"cannot be sent: {error}")


_wires: dict[tuple[type[H2Wire], str | None], H2Wire] = {}


def h2_wire(trust: str | None = None, kind: type[H2Wire] = H2Wire) -> H2Wire:
    """The client of this process. `trust`: a CA file to believe beside the system's, e.g. the sandbox's."""
    return _wires.setdefault((kind, trust), kind(trust))


def _after_fork() -> None:
    for wire in list(_wires.values()):
        wire.after_fork()


os.register_at_fork(after_in_child=_after_fork)
