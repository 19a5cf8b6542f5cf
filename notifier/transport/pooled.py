"""The process's clients: one for each CA file, started on first use and anew in each forked child."""

from __future__ import annotations

import os
import ssl
import threading
from collections.abc import Iterator, Sequence

from notifier.transport.h2.heads import BAD_PATH, Unsendable, sendable_path, template
from notifier.transport.jobs import Box, Job, batches
from notifier.transport.loop import CONNECTIONS, STREAMS, Load, Loop
from notifier.transport.tokens import Tokens
from notifier.vocabulary import Broken, Head, Request, Response, TokenRequest, Volley


class PooledWire:
    """HTTP/2 over TLS, multiplexed, connections kept. Any thread may call it."""

    def __init__(self, trust: str | None = None, connections: int = CONNECTIONS) -> None:
        system = ssl.get_default_verify_paths()
        self._trust, self._connections = (trust or system.cafile, system.capath), connections
        self._loop: Loop | None = None
        self._starting = threading.Lock()
        self._tokens = Tokens(self._single)

    def exchange(self, requests: Sequence[Request]) -> Iterator[Sequence[tuple[int, Response | Broken]]]:
        """Send all; yield (index, answer) in batches as they come. Closing it early withdraws what has not begun."""
        job = Job(len(requests), Box(self))
        self.submit(job, list(enumerate(requests)), whole=True)
        yield from batches(job)

    def volley(self, head: Head, bodies: Sequence[bytes], paths: Sequence[bytes] | None = None) -> Volley:
        return self.mailbox().volley(head, bodies, paths)

    def mailbox(self) -> Box:
        return Box(self)

    @property
    def streams(self) -> int:
        return self._connections * STREAMS

    def warm(self, origin: str) -> int:
        """Always 0: libcurl opens a connection for a request only (those of CONNECT_ONLY are never used again)."""
        return 0

    def token(self, wanted: TokenRequest) -> str:
        return self._tokens.get(wanted)

    def forget_token(self, cache_key: str) -> None:
        self._tokens.forget(cache_key)

    # -- jobs --

    def launch(self, job: Job, head: Head, bodies: Sequence[bytes], paths: Sequence[bytes] | None) -> None:
        """By the rules of the HTTP/2 client: a path could otherwise change the host that libcurl reads from the URL."""
        good: list[tuple[int, Request]] = []
        try:
            template(head, paths is not None)
        except Unsendable as error:
            job.refuse(range(len(bodies)), Broken(False, f"cannot be sent: {error}"))
            return
        for index, body in enumerate(bodies):
            path = head.path.encode() if paths is None else paths[index]
            if sendable_path(path):
                url = head.origin + path.decode("ascii")
                good.append((index, Request(head.method, url, head.headers, body, head.timeout)))
            else:
                job.refuse([index], Broken(False, f"cannot be sent: {BAD_PATH}"))
        self.submit(job, good, whole=False)

    def submit(self, job: Job, requests: Sequence[tuple[int, Request]], *, whole: bool) -> None:
        if requests:
            self._running().submit(Load(job, requests, whole))

    def retract(self, job: Job) -> None:
        if self._loop is not None:
            self._loop.withdraw(job)

    def _single(self, request: Request) -> Response | Broken:
        return next(answer for batch in self.exchange([request]) for _, answer in batch)

    def _running(self) -> Loop:
        loop = self._loop
        if loop is None or loop.dead or loop.pid != os.getpid():
            with self._starting:
                loop = self._loop
                if loop is None or loop.dead or loop.pid != os.getpid():
                    loop = self._loop = Loop(self._trust, self._connections)
        return loop

    def after_fork(self) -> None:
        """In a child: keep nothing that the parent's threads may have held or may still use."""
        if self._loop is not None:
            self._loop.disown()
            _inherited.append(self._loop)
        self._loop = None
        self._starting = threading.Lock()
        self._tokens = Tokens(self._single)


_wires: dict[tuple[str | None, int], PooledWire] = {}
_inherited: list[Loop] = []  #: never collected: that would run libcurl's clean-up on the parent's state


def pooled_wire(trust: str | None = None, connections: int = CONNECTIONS) -> PooledWire:
    """The client of this process. `trust`: a CA file to believe beside the system's, e.g. the sandbox's."""
    key = (trust, connections)
    return _wires.get(key) or _wires.setdefault(key, PooledWire(trust, connections))


def _after_fork() -> None:
    for pooled in list(_wires.values()):
        pooled.after_fork()


os.register_at_fork(after_in_child=_after_fork)
