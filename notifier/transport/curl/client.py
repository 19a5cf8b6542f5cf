"""The client that leaves HTTP to libcurl: its thread is started on first use, and anew in each forked child."""

from __future__ import annotations

import os
import ssl
import threading
from collections.abc import Sequence

from notifier.transport.base import CONNECTIONS, BaseClient
from notifier.transport.completions import PendingBatch
from notifier.transport.curl.loop import Batch, Loop
from notifier.transport.h2.request_headers import BAD_PATH, Unsendable, encoded, refusal, sendable_path
from notifier.vocabulary.http import Request, RequestTemplate


class CurlClient(BaseClient):
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

    def begin(self, pending: PendingBatch, requests: Sequence[Request]) -> None:
        self.submit(pending, list(enumerate(requests)), whole=True)

    def launch(
        self, pending: PendingBatch, head: RequestTemplate, bodies: Sequence[bytes], paths: Sequence[bytes] | None
    ) -> None:
        """By the rules of the HTTP/2 client: a path could otherwise change the host that libcurl reads from the URL."""
        good: list[tuple[int, Request]] = []
        try:
            encoded(head, paths is not None)
        except Unsendable as error:
            pending.refuse(range(len(bodies)), refusal(error))
            return
        for index, body in enumerate(bodies):
            path = head.path.encode() if paths is None else paths[index]
            if sendable_path(path):
                url = head.origin + path.decode("ascii")
                good.append((index, Request(head.method, url, head.headers, body, head.timeout)))
            else:
                pending.refuse([index], refusal(Unsendable(BAD_PATH)))
        self.submit(pending, good, whole=False)

    def submit(self, pending: PendingBatch, requests: Sequence[tuple[int, Request]], *, whole: bool) -> None:
        if requests:
            self._running().submit(Batch(pending, requests, whole))

    def retract(self, pending: PendingBatch) -> None:
        if self._loop is not None:
            self._loop.withdraw(pending)

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
