"""The default client: our HTTP/2 client where the server speaks HTTP/2, libcurl where it speaks only HTTP/1.1."""

from __future__ import annotations

from notifier.transport.base import CONNECTIONS
from notifier.transport.completions import PendingBatch
from notifier.transport.curl.client import CurlClient
from notifier.transport.h2.batches import BatchCursor
from notifier.transport.h2.client import Http2Client


class AutoClient(Http2Client):
    def __init__(self, trust: str | None = None, connections: int = CONNECTIONS) -> None:
        super().__init__(trust, connections)
        self._curl = CurlClient.shared(trust, connections)

    def without_h2(self, cursor: BatchCursor) -> None:
        self._curl.submit(cursor.pending, cursor.hand_over(), whole=cursor.batch.whole)

    def after_withdraw(self, pending: PendingBatch) -> None:
        self._curl.withdraw(pending)
