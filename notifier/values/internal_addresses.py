"""Which IP addresses are internal: of this machine, of a private network, of a cloud's metadata service. Pure.

`ipaddress.is_global` alone is not enough: Python 3.11 calls 64:ff9b::a9fe:a9fe global, which NAT64 turns into
169.254.169.254, and so it does 2002:7f00:1::, ::127.0.0.1 and 224.0.0.1.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network

#: networks that `is_global` lets through, and that lead to internal addresses or to no single machine
_DENIED: tuple[Network, ...] = tuple(
    ip_network(network)
    for network in (
        "192.0.0.0/24", "192.88.99.0/24",
        "::/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "2001::/32", "2002::/16", "3fff::/20",
        "5f00::/16", "fec0::/10",
    )
)  # fmt: skip


def parse_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Networks and single addresses, such as 10.0.0.0/8 or 192.0.2.7. Raises ValueError, naming the text."""
    return tuple(ip_network(text.strip(), strict=False) for text in texts if text.strip())


def is_internal(address: str, allowed: Iterable[Network] = ()) -> bool:
    """Whether no connection may go to this address; `allowed` are exceptions. Raises ValueError for no IP address."""
    ip: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    if any(ip in network for network in allowed):
        return False
    return not ip.is_global or ip.is_multicast or any(ip in network for network in _DENIED)
