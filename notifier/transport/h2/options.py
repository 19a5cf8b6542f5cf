"""What all origins and connections of one HTTP/2 client share."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass

from notifier.transport.h2.batches import BatchCursor


@dataclass(frozen=True)
class Times:
    """All in seconds."""

    #: how long a warmed connection is opened again when the server closes it. nginx closes a connection that carried no
    #: request for 60 s (client_header_timeout), whatever PINGs it gets
    keep_warm: float = 600.0
    reopen: float = 5.0  #: the shortest time from one such opening to the next
    ping_busy: float = 5.0  #: the silence after which a connection with requests in flight gets a PING
    ping_idle: float = 45.0  #: likewise without requests in flight
    ping_timeout: float = 10.0  #: how long the server may take to answer a PING


DEFAULT_TIMES = Times()


#: connections of one client to all servers in all pools. A process may usually have 1,024 files open, and each pool,
#: such as a team at Apple, may have PROVIDER_CONNECTIONS (16)
MOST_CONNECTIONS = 256


@dataclass(frozen=True)
class ClientOptions:
    """`without_h2` receives the cursors of a server that does not speak HTTP/2. `make_room` says whether one more
    connection may be opened; it closes an idle one where there are too many. `trusted`: see egress.connect."""

    context: ssl.SSLContext
    connections: int  #: to one server, at most
    without_h2: Callable[[BatchCursor], None]
    make_room: Callable[[], bool]
    times: Times
    trusted: bool = False
