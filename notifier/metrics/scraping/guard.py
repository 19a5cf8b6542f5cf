"""Who may scrape: who knows METRICS_TOKEN; without a token, only this machine. In debug mode everybody."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from ipaddress import ip_address

from django.conf import settings

#: headers that a proxy adds, or beginnings of them: the address of such a request is the proxy's, or a header says it
_PROXIED = frozenset({b"forwarded", b"via", b"x-real-ip", b"x-client-ip", b"true-client-ip", b"cf-connecting-ip"})
_PROXIED_START = b"x-forwarded-"


def refusal(address: str | None, headers: Mapping[bytes, bytes]) -> int | None:
    """The status that refuses a scrape; None when it may go on. `headers` have names in small letters."""
    if token := settings.METRICS_TOKEN:
        given = headers.get(b"authorization", b"")
        return None if hmac.compare_digest(given, f"Bearer {token}".encode()) else 401
    if settings.DEBUG:
        return None
    if any(name in _PROXIED or name.startswith(_PROXIED_START) for name in headers):
        return 404
    return None if _is_own(address) else 404


def _is_own(address: str | None) -> bool:
    if not address:
        return True  # a Unix socket
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return ip.is_loopback
