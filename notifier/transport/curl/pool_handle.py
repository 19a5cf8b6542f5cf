"""A libcurl multi handle: the connections of one pool (Request.pool). Two multi handles never share a connection."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pycurl

from notifier.transport.curl.transfer import Transfer
from notifier.transport.h2.protocol.connection import DEFAULT_STREAMS

CONNECTIONS_KEPT = 256  #: to all servers
UNUSED_SECONDS = 900.0  #: after so long without a request, the connections of a pool may be closed


class PoolHandle:
    """Only the loop's thread uses it. `on_socket` gets this handle, libcurl's event and the socket's number."""

    def __init__(self, connections: int, on_socket: Callable[[PoolHandle, int, int], None]) -> None:
        self.due: float | None = None  #: when libcurl wants to be called without an event
        self._on_socket = on_socket
        self._in_flight = 0
        self._used_at = time.monotonic()
        self.multi: Any = pycurl.CurlMulti()
        self.multi.setopt(pycurl.M_PIPELINING, pycurl.PIPE_MULTIPLEX)
        self.multi.setopt(pycurl.M_MAX_HOST_CONNECTIONS, connections)
        self.multi.setopt(pycurl.M_MAX_CONCURRENT_STREAMS, DEFAULT_STREAMS)
        self.multi.setopt(pycurl.M_MAXCONNECTS, CONNECTIONS_KEPT)
        self.multi.setopt(pycurl.M_SOCKETFUNCTION, self._socket_event)
        self.multi.setopt(pycurl.M_TIMERFUNCTION, self._on_timer)

    def add(self, transfer: Transfer) -> None:
        self._in_flight += 1
        self.multi.add_handle(transfer.curl)

    def remove(self, transfer: Transfer) -> None:
        self.multi.remove_handle(transfer.curl)
        self._in_flight -= 1
        self._used_at = time.monotonic()

    def act_when_due(self) -> None:
        if self.due is not None and self.due <= time.monotonic():
            self.due = None
            self.multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)

    def is_unused_since(self, moment: float) -> bool:
        return not self._in_flight and self._used_at < moment

    # -- libcurl calls these --

    def _socket_event(self, event: int, fd: int, _multi: Any, _data: Any) -> None:
        self._on_socket(self, event, fd)

    def _on_timer(self, milliseconds: int) -> None:
        self.due = None if milliseconds < 0 else time.monotonic() + milliseconds / 1000
