"""Free ports on the loopback, for servers that bind them later and keep them over a restart.

The kernel gives a port of ip_local_port_range (32768-60999 on Linux) to an outgoing connection at any time: also
between the choice of a port and the start of its server, and while the server restarts. So these functions choose
outside of that range. They choose at random, so that processes which choose at the same time choose different ports.
"""

from __future__ import annotations

import secrets
import socket
from functools import cache
from pathlib import Path

_KERNEL_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
#: browsers refuse 10080 and some lower ports (https://fetch.spec.whatwg.org/#port-blocking), and services that people
#: know have most of the lower ports
_LOWEST, _FEWEST = 11_000, 1_000
#: what this process has chosen; it may choose several ports before their servers bind them
_chosen: set[int] = set()


def free_port(preferred: int = 0) -> int:
    """The preferred port if it is free, else any free port."""
    return preferred if preferred and are_free(preferred, 1) else free_ports(1)


def free_ports(number: int) -> int:
    """The first of `number` free ports in a row."""
    choices = _choices()
    for _ in range(1000):
        # not from `random`, whose seed is the same in all processes of a test run
        first = choices[secrets.randbelow(len(choices) - number)]
        row = range(first, first + number)
        if _chosen.isdisjoint(row) and are_free(first, number):
            _chosen.update(row)
            return first
    raise OSError(f"no {number} free ports on 127.0.0.1")


def are_free(first: int, number: int) -> bool:
    """Whether this port and those after it, `number` in all, are free."""
    return all(_is_free(port) for port in range(first, first + number))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # without this option, the port of a server that stopped a minute ago (TIME_WAIT) would look taken
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@cache
def _choices() -> range:
    """The ports below those of outgoing connections; all ports where the kernel leaves too few."""
    try:
        lowest_outgoing = int(_KERNEL_RANGE.read_text().split()[0])
    except OSError:  # not Linux: macOS and the BSDs begin at 49152, IANA's dynamic ports (RFC 6335 §6)
        lowest_outgoing = 32_768
    return range(_LOWEST, lowest_outgoing if lowest_outgoing >= _LOWEST + _FEWEST else 65_536)
