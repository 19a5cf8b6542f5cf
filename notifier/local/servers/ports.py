"""Free ports on the loopback."""

from __future__ import annotations

import socket


def free_port(preferred: int = 0) -> int:
    """The preferred port if it is free, else any free port."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            if _bind(probe, port):
                return int(probe.getsockname()[1])
    raise OSError("no free port on 127.0.0.1")


def are_free(first: int, number: int) -> bool:
    """Whether this port and those after it, `number` in all, are free."""
    for port in range(first, first + number):
        with socket.socket() as probe:
            if not _bind(probe, port):
                return False
    return True


def _bind(probe: socket.socket, port: int) -> bool:
    # without this option, the port of a server that stopped a minute ago (TIME_WAIT) would look taken
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        probe.bind(("127.0.0.1", port))
    except OSError:
        return False
    return True
