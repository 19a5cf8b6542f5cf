"""The client that leaves HTTP to libcurl. Its thread starts on first use, and anew in each forked child."""

from __future__ import annotations

import os
import ssl
import threading
from collections.abc import Sequence

from notifier.transport.base import CONNECTIONS, BaseClient
from notifier.transport.completions import PendingBatch
from notifier.transport.curl.loop import Loop
from notifier.transport.curl.queues import Submission
from notifier.transport.curl.transfer import Authorities
from notifier.transport.h2.request_headers import BAD_PATH, Unsendable, encode_template, is_sendable_path
from notifier.vocabulary.http import Request, RequestTemplate


class CurlClient(BaseClient):
    """HTTP/2 over TLS, or HTTP/1.1 where the server speaks no HTTP/2; multiplexed, connections kept."""

    def __init__(self, trust: str | None = None, connections: int = CONNECTIONS) -> None:
        super().__init__(trust, connections)
        system = ssl.get_default_verify_paths()
        self._authorities = Authorities(trust or system.cafile, system.capath, bool(trust))
        self._loop: Loop | None = None
        self._starting = threading.Lock()

    def warm(self, origin: str) -> int:
        """Always 0: libcurl opens a connection for a request only (it never reuses those of CONNECT_ONLY)."""
        return 0

    # -- pending batches --

    def start_exchange(self, pending: PendingBatch, requests: Sequence[Request]) -> None:
        self.submit(pending, list(enumerate(requests)), whole=True)

    def start_batch(
        self, pending: PendingBatch, template: RequestTemplate, bodies: Sequence[bytes], paths: Sequence[bytes] | None
    ) -> None:
        """Checked by the HTTP/2 client's rules: a path could otherwise change the host that libcurl reads from the
        URL."""
        sendable: list[tuple[int, Request]] = []
        try:
            encode_template(template, paths is not None)
        except Unsendable as error:
            pending.refuse(range(len(bodies)), error.as_answer())
            return
        for index, body in enumerate(bodies):
            path = template.path.encode() if paths is None else paths[index]
            if is_sendable_path(path):
                url = template.origin + path.decode("ascii")
                sendable.append((index, Request(template.method, url, template.headers, body, template.timeout)))
            else:
                pending.refuse([index], Unsendable(BAD_PATH).as_answer())
        self.submit(pending, sendable, whole=False)

    def submit(self, pending: PendingBatch, requests: Sequence[tuple[int, Request]], *, whole: bool) -> None:
        """`requests`: (index in the pending batch, request). `whole`: keep the whole answer of a plain 200, too."""
        if requests:
            self._running_loop().submit(Submission(pending, requests, whole))

    def withdraw(self, pending: PendingBatch) -> None:
        if self._loop is not None:
            self._loop.withdraw(pending)

    def _running_loop(self) -> Loop:
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
