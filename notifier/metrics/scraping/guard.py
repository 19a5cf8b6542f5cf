"""Who may scrape: who knows METRICS_TOKEN; without a token, only this machine and the addresses of INTERNAL_HOSTS."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from ipaddress import ip_address

from django.conf import settings

from notifier.values.internal_addresses import parse_networks

#: headers that a proxy adds: the address of such a request is what a header says, or the proxy's
_PROXIED = (b"x-forwarded-for", b"forwarded")


def refusal(address: str | None, headers: Mapping[bytes, bytes]) -> int | None:
    """The status that refuses a scrape; None when it may go on. `headers` have names in small letters."""
    if token := settings.METRICS_TOKEN:
        given = headers.get(b"authorization", b"")
        return None if hmac.compare_digest(given, f"Bearer {token}".encode()) else 401
    if any(name in headers for name in _PROXIED) and not settings.DEBUG:
        return 404
    return None if _is_internal(address) else 404


def _is_internal(address: str | None) -> bool:
    if not address:
        return True  # a Unix socket
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return ip.is_loopback or any(ip in network for network in parse_networks(settings.INTERNAL_HOSTS))
