"""uvicorn's WebSocket protocol, counted with the connections of its address.

What a socket may say before its hello, and how many may be silent, is the inbox's affair (inbox.consumers).
"""

from __future__ import annotations

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from notifier.web import connections


class BoundedWebSocket(WebSocketsSansIOProtocol):
    """`BoundedHttp` has counted the connection; it leaves here."""

    def connection_lost(self, exc: Exception | None) -> None:
        connections.leave(self.client[0] if self.client else None)
        super().connection_lost(exc)
