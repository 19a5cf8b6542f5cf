"""Ends a connection to a mail server after a number of seconds: a timeout of the socket alone would let a server that
sends a byte a second keep a worker for ever."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def closed_after(connection: socket.socket, seconds: float) -> Iterator[None]:
    """Shut the connection down after `seconds`, unless the block ends before; a read then fails. Holds a file
    descriptor of its own, because TLS takes that of `connection` over."""
    with connection.dup() as watched:
        timer = threading.Timer(seconds, _shut_down, [watched])
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


def _shut_down(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
