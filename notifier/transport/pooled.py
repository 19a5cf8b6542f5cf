"""The client that leaves HTTP to libcurl: its thread is started on first use, and anew in each forked child."""

from __future__ import annotations

import os
import ssl
import threading
from collections.abc import Sequence

from notifier.transport.base import CONNECTIONS, BaseWire
from notifier.transport.h2.heads import BAD_PATH, Unsendable, refusal, sendable_path, template
from notifier.transport.jobs import Job
from notifier.transport.loop import Load, Loop
from notifier.vocabulary import Head, Request


class PooledWire(BaseWire):
    """HTTP/2 over TLS, multiplexed, connections kept."""

    def __init__(self, trust: str | None = None, connections: int = CONNECTIONS) -> None:
        super().__init__(trust, connections)
        system = ssl.get_default_verify_paths()
        self._authorities = (trust or system.cafile, system.capath)
        self._loop: Loop | None = None
        self._starting = threading.Lock()

    def warm(self, origin: str) -> int:
        """Always 0: libcurl opens a connection for a request only (those of CONNECT_ONLY are never used again)."""
        return 0

    # -- jobs --

    def begin(self, job: Job, requests: Sequence[Request]) -> None:
        self.submit(job, list(enumerate(requests)), whole=True)

    def launch(self, job: Job, head: Head, bodies: Sequence[bytes], paths: Sequence[bytes] | None) -> None:
        """By the rules of the HTTP/2 client: a path could otherwise change the host that libcurl reads from the URL."""
        good: list[tuple[int, Request]] = []
        try:
            template(head, paths is not None)
        except Unsendable as error:
            job.refuse(range(len(bodies)), refusal(error))
            return
        for index, body in enumerate(bodies):
            path = head.path.encode() if paths is None else paths[index]
            if sendable_path(path):
                url = head.origin + path.decode("ascii")
                good.append((index, Request(head.method, url, head.headers, body, head.timeout)))
            else:
                job.refuse([index], refusal(Unsendable(BAD_PATH)))
        self.submit(job, good, whole=False)

    def submit(self, job: Job, requests: Sequence[tuple[int, Request]], *, whole: bool) -> None:
        if requests:
            self._running().submit(Load(job, requests, whole))

    def retract(self, job: Job) -> None:
        if self._loop is not None:
            self._loop.withdraw(job)

    def _running(self) -> Loop:
        loop = self._loop
        if loop is None or loop.dead or loop.pid != os.getpid():
            with self._starting:
                loop = self._loop
                if loop is None or loop.dead or loop.pid != os.getpid():
                    loop = self._loop = Loop(self._authorities, self.connections)
        return loop

    def after_fork(self) -> None:
        super().after_fork()
        if self._loop is not None:
            self._loop.disown()
            _inherited.append(self._loop)
        self._loop = None
        self._starting = threading.Lock()


_inherited: list[Loop] = []  #: never collected: that would run libcurl's clean-up on the parent's state
