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
from notifier.transport.h2.protocol.encoded_rows import unsendable_rows
from notifier.transport.h2.protocol.request_headers import Unsendable, encode_template
from notifier.vocabulary.http import Request, RequestRows, RequestTemplate


class CurlClient(BaseClient):
    """HTTP/2 over TLS, or HTTP/1.1 where the server speaks no HTTP/2; multiplexed, connections kept."""

    def __init__(self, trust: str | None = None, connections: int = CONNECTIONS) -> None:
        super().__init__(trust, connections)
        system = ssl.get_default_verify_paths()
        self._authorities = Authorities(trust or system.cafile, system.capath, bool(trust))
        self._loop: Loop | None = None
        self._starting = threading.Lock()

    def warm(self, origin: str, pool: str = "") -> int:
        """Always 0: libcurl opens a connection for a request only (it never reuses those of CONNECT_ONLY)."""
        return 0

    # -- pending batches --

    def start_exchange(self, pending: PendingBatch, requests: Sequence[Request]) -> None:
        self.submit(pending, list(enumerate(requests)), whole=True)

    def start_batch(self, pending: PendingBatch, template: RequestTemplate, rows: RequestRows) -> None:
        """Checked by the HTTP/2 client's rules: a path could otherwise change the host that libcurl reads from the
        URL."""
        indexes = range(len(rows.bodies))
        try:
            encode_template(template, rows.paths is not None)
        except Unsendable as error:
            pending.refuse(indexes, error.as_answer())
            return
        bad = unsendable_rows(rows)
        pending.put([(index, error.as_answer()) for index, error in bad.items()])
        requests = [(index, rows.request(template, index)) for index in indexes if index not in bad]
        self.submit(pending, requests, whole=False)

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
