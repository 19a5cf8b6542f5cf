"""uvicorn's WebSocket protocol, whose sockets count as connections of their address.

The inbox limits what a socket may send before its hello, and how many such sockets there may be (inbox.live).
"""

from __future__ import annotations

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from notifier.web import connections


class BoundedWebSocket(WebSocketsSansIOProtocol):
    """`BoundedHttp` has counted the connection; this class ends the count."""

    def connection_lost(self, exc: Exception | None) -> None:
        connections.leave(self.client[0] if self.client else None)
        super().connection_lost(exc)
