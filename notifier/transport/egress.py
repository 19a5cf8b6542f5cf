"""Where connections may go. A tenant names the host of its mail server, so without a limit a tenant could reach the
services of this machine and of its network, and "test connection" would tell which ports answer.

A host is resolved once, and the connection goes to an address that was looked at: a name whose address changes between
two questions (DNS rebinding) gains nothing. The operator allows internal hosts with INTERNAL_HOSTS.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from notifier.values.internal_addresses import Network, is_internal, parse_networks

_allowed: tuple[Network, ...] = ()
#: host and port -> its addresses; the default asks the system
Resolve = Callable[[str, int], Awaitable[list[str]]]


class InternalHost(OSError):
    """The host has an internal address."""

    def __init__(self, host: str) -> None:
        super().__init__(
            f"{host} is an internal address, and INTERNAL_HOSTS does not allow it; the operator of this site can"
        )


def allow(networks: Iterable[str]) -> None:
    """Allow these internal networks in this process, and no others. Raises ValueError."""
    global _allowed
    _allowed = parse_networks(networks)


def is_refused(address: str) -> bool:
    """Whether no connection may go to this IP address."""
    return is_internal(address, _allowed)


async def connect(
    protocol: asyncio.BaseProtocol,
    endpoint: tuple[str, int],
    context: ssl.SSLContext | None,
    *,
    trusted: bool = False,
    resolve: Resolve | None = None,
) -> None:
    """Connect `protocol` with host and port, over TLS when there is a `context`. `trusted`: the host is our own choice,
    such as the sandbox, and may be internal. Raises OSError or ValueError."""
    loop = asyncio.get_running_loop()
    host, port = endpoint[0].strip("[]"), endpoint[1]
    options: dict[str, Any] = {"ssl": context, "server_hostname": host, "ssl_shutdown_timeout": 1.0} if context else {}
    addresses = [host]
    if not trusted:
        addresses = _checked(host, await (resolve or _ask_system)(host, port))
    for number, address in enumerate(addresses, 1):
        try:
            await loop.create_connection(lambda: protocol, address, port, **options)
            return
        except OSError:
            if number == len(addresses):
                raise


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a host, for a thread that may block. Raises InternalHost, or OSError when there are none."""
    try:
        infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError:  # a label is empty, or longer than 63 characters
        raise OSError(f"{host[:80]} is no name of a host") from None
    return _checked(host, _addresses_of(infos))


async def _ask_system(host: str, port: int) -> list[str]:
    return _addresses_of(await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM))


def _addresses_of(infos: Sequence[Any]) -> list[str]:
    return [str(info[4][0]) for info in infos]


def _checked(host: str, found: Sequence[str]) -> list[str]:
    addresses = list(dict.fromkeys(found))
    if not addresses or any(is_internal(address, _allowed) for address in addresses):
        raise InternalHost(host)
    return addresses
