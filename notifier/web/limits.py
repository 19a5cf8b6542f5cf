"""Limits on what one client may take of a web process: sizes, times, counts. docs/api.md and docs/operations.md name
them."""

from __future__ import annotations

import ipaddress
import resource
from collections import Counter
from collections.abc import Hashable
from typing import TypeVar

from django.conf import settings

K = TypeVar("K", bound=Hashable)

#: bytes of a request's address. The WebSocket library accepts lines of 8,192 bytes, so one limit holds for both
MAX_URL = 8_000
#: bytes of one header, its name included
MAX_HEADER = 8_000
#: bytes of all headers; nginx takes 32 KiB by default, and a cookie is at most 4 KiB
MAX_HEADERS = 32 * 1024
#: a browser sends about 20, a proxy adds about 10
MAX_HEADER_COUNT = 100
#: requests that may wait on a connection behind the one that is being answered; few clients pipeline requests
MAX_PIPELINED = 16

#: from the start of the connection, or from the first byte after a pause, to the end of the headers
HEAD_SECONDS = 10.0
#: a connection may be idle for so long between two requests
IDLE_SECONDS = 5
#: a body may pause for so long, and may take in all so long plus a second for each BODY_RATE bytes
BODY_SECONDS = 10.0
BODY_RATE = 1024
#: a client that reads nothing of its answer for so long counts as disconnected
DRAIN_SECONDS = 30.0
#: bytes and seconds that are read and thrown away after an answer that came before the end of the request: closing a
#: connection with unread bytes resets it, and the client may lose the answer
LINGER_BYTES = 2 * 1024 * 1024
LINGER_SECONDS = 2.0

#: bytes; a larger body is read only from an authorized caller, a smaller one stays in memory
SMALL_BODY = 64 * 1024
#: bodies above the limit of JSON, which are kept on disk while they arrive: of one tenant or user, and in all
UPLOADS_PER_OWNER = 2
UPLOADS = 16
#: JSON documents above that limit, as a request with attachments is, in all: 15 MB take 60 MB of memory until they are
#: answered
DOCUMENTS = 4

#: open files that are not connections: the database pool, Redis, modules, temporary files
OTHER_FILES = 256
#: share of the connections that sockets may take. The rest is for requests: with 12,000 open inboxes an opt-out, GO and
#: /healthz would get 503 otherwise, because a socket is never idle
SOCKETS_SHARE = 0.9
#: connections beyond the limit that still get an answer which refuses them
SPARE_CONNECTIONS = 100
#: loopback and private addresses are proxies, or this machine: they count towards the total but have no limit of their
#: own
COUNT_LOCAL = False


def max_connections() -> int:
    """Connections of one process. The number of files that the process may open is a limit too."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return min(int(settings.WEB_MAX_CONNECTIONS), max(64, files - OTHER_FILES))


def max_connections_per_address() -> int:
    return int(settings.WEB_MAX_CONNECTIONS_PER_ADDRESS)


def uncount(counter: Counter[K], owner: K) -> None:
    """Take one off an owner's count. An owner without any has no entry, so that the counter does not grow."""
    counter[owner] -= 1
    if not counter[owner]:
        del counter[owner]


def counted_as(host: str | None) -> str | None:
    """The name under which connections of an address are counted; None if they have no limit. An IPv6 client has 2**64
    addresses, so its network is counted."""
    try:
        address = ipaddress.ip_address(host or "")
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    if not (address.is_global or COUNT_LOCAL):
        return None
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, 64), strict=False).network_address)
    return str(address)
