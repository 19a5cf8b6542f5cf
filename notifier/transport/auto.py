"""HTTP/2 by hand where the far end speaks it, libcurl where it speaks HTTP/1.1 only."""

from __future__ import annotations

from notifier.transport.base import CONNECTIONS
from notifier.transport.completions import PendingBatch
from notifier.transport.curl.client import CurlClient
from notifier.transport.h2.batches import BatchCursor
from notifier.transport.h2.client import Http2Client


class AutoClient(Http2Client):
    def __init__(self, trust: str | None = None, connections: int = CONNECTIONS) -> None:
        super().__init__(trust, connections)
        self._other = CurlClient.here(trust, connections)

    def no_h2(self, run: BatchCursor) -> None:
        self._other.submit(run.pending, run.hand_over(), whole=run.load.whole)

    def retracted(self, pending: PendingBatch) -> None:
        self._other.retract(pending)
