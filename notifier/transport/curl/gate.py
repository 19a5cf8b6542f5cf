"""How many requests for one server libcurl may hold, and which of them it may write.

libcurl opens up to 100 streams on a new connection before it has read the server's SETTINGS: of 400 requests, nginx
with `http2_max_concurrent_streams 1` refused 366. A server sends its SETTINGS first (RFC 9113 §3.4), so the first
answer on a connection proves that libcurl has read them. Until then the gate admits one request a connection. After
that, libcurl itself obeys the SETTINGS, also when they change. The price: all requests to a server wait for the answer
to the very first one.
"""

from __future__ import annotations

from dataclasses import dataclass

from notifier.transport.allowance import Allowance

CONNECTIONS_KEPT = 32  #: connections remembered; more than one server has open


@dataclass(slots=True)
class ConnectionState:
    """How many requests are in flight on a connection, and whether it has answered."""

    in_flight: int = 0
    proven: bool = False


class Gate:
    """The gate of one server. A connection is identified by our own port, because libcurl gives nothing else before it
    writes."""

    def __init__(self, most: int) -> None:
        self.window = 1  #: how many requests may be inside libcurl
        self.in_flight = 0  #: how many of them were written and not answered
        self.careful = False  #: the server recently refused a stream or cut a connection
        self._most = most
        self._open = 1  #: the window, by what the connections have shown
        self._allowance = Allowance(most)
        self._connections: dict[int, ConnectionState] = {}

    @property
    def connections(self) -> int:
        """How many connections are remembered."""
        return len(self._connections)

    def admits(self, port: int) -> bool:
        """Whether a request may be written on this connection now."""
        connection = self._connections.get(port) or self._remember(port)
        if connection.in_flight and not connection.proven:
            # libcurl would put its other requests on this connection, too
            self._set_open(max(1, self.in_flight))
            return False
        connection.in_flight += 1
        self.in_flight += 1
        return True

    def answered(self, port: int) -> None:
        connection = self._connections.get(port)
        if connection is not None:
            connection.in_flight -= 1
        if self.window < self._most:
            self._widen(connection)
        elif connection is not None:
            connection.proven = True
        self.in_flight -= 1

    def failed(self, port: int) -> None:
        """A request ended without an answer, by a timeout or a reset stream; that says nothing about its connection."""
        self.in_flight -= 1
        if (connection := self._connections.get(port)) is not None:
            connection.in_flight -= 1

    def cut(self, port: int) -> None:
        """A request was refused, or its connection ended before the answer."""
        if self._connections.pop(port, None) is not None:  # once for each connection
            self._allowance.refuse(self.in_flight)
            self._set_open(self._open)
        self.in_flight -= 1

    def _widen(self, connection: ConnectionState | None) -> None:
        """A connection's first answer opens the window; each later answer adds one request while the window is full."""
        self._allowance.answer(1)
        if connection is not None and not connection.proven:
            connection.proven = True
            self._set_open(self._most)
        else:
            self._set_open(min(self._most, self._open + (self.in_flight >= self._open)))

    def _set_open(self, count: int) -> None:
        self._open = count
        self.window = min(count, self._allowance.limit)
        self.careful = self._allowance.reduced

    def _remember(self, port: int) -> ConnectionState:
        if len(self._connections) >= CONNECTIONS_KEPT:
            idle = next((known for known, state in self._connections.items() if not state.in_flight), port)
            self._connections.pop(idle, None)
        return self._connections.setdefault(port, ConnectionState())
