"""The address of a webhook, taken apart and checked before any name is resolved. Pure.

Libraries disagree about odd addresses, and an attacker lives on the difference: what one calls a user name is a host to
the other, and the resolver of the system reads 2130706433, 0x7f.1 and 127.1 as 127.0.0.1. So only a plain form is
taken: one scheme, a host name in letters, digits and hyphens or an IP address in its usual form, a port of the list, no
user. Which addresses the name has is checked when the connection is made (notifier.transport.egress).
"""

from __future__ import annotations

import re
from collections.abc import Collection
from ipaddress import IPv6Address, ip_address
from typing import NamedTuple
from urllib.parse import quote, urlsplit

MAX_URL = 500
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_AUTHORITY = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[^:\[\]@]+)(?::(?P<port>[0-9]{1,5}))?")


class WebhookUrl(NamedTuple):
    """Where a request goes. `host` is the name as the certificate has it, or an IP address without brackets."""

    secure: bool
    host: str
    port: int
    #: path and query, as the request line has them
    target: str

    @property
    def host_header(self) -> str:
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == (443 if self.secure else 80) else f"{name}:{self.port}"


def parse(url: str, ports: Collection[int] = (443,), *, plain_http: bool = False) -> WebhookUrl:
    """Raises ValueError with a sentence for a person."""
    if len(url) > MAX_URL:
        raise ValueError(f"The address has more than {MAX_URL} characters.")
    if not url or any(ord(c) <= 32 or ord(c) == 127 or c in '\\"<>`' for c in url):
        raise ValueError("The address must be without spaces, backslashes, quotes and control characters.")
    scheme, separator, rest = url.partition("://")
    if not separator or scheme.lower() not in (("https", "http") if plain_http else ("https",)):
        raise ValueError("The address must begin with https://.")
    secure = scheme.lower() == "https"
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if "@" in authority:
        raise ValueError("The address must have no user name and no password; sign-in belongs into a header.")
    if "#" in url:
        raise ValueError("The address must have no fragment (#).")
    parts = _AUTHORITY.fullmatch(authority)
    if parts is None:
        raise ValueError("The address must name a host, such as https://hooks.example.com/notifier.")
    host = _host(parts["host"])
    port = int(parts["port"] or (443 if secure else 80))
    if port not in ports and not (plain_http and 0 < port < 65536):
        allowed = ", ".join(str(number) for number in sorted(ports))
        raise ValueError(f"The port must be one of: {allowed}.")
    split = urlsplit(url)
    target = quote(split.path or "/", safe="/:@!$&'()*+,;=-._~%") + (
        f"?{quote(split.query, safe=_QUERY)}" if split.query else ""
    )
    return WebhookUrl(secure, host, port, target)


_QUERY = "/:@!$&'()*+,;=-._~%?[]{}|^"


def _host(text: str) -> str:
    """The host in its one form. Raises ValueError."""
    if text.startswith("["):
        return str(IPv6Address(text[1:-1]))
    try:
        host = text.rstrip(".").encode("idna").decode("ascii").lower() if not text.isascii() else text.lower()
    except UnicodeError:
        raise ValueError("The host is no name that can be resolved.") from None
    if host.endswith("."):
        raise ValueError("The host must not end with a full stop.")
    labels = host.split(".")
    if not all(_LABEL.fullmatch(label) for label in labels) or len(host) > 253:
        raise ValueError("The host must be letters, digits, hyphens and full stops.")
    if _looks_like_a_number(labels[-1]):
        if str(_ip(host)) != host:
            raise ValueError("An IP address must be in its usual form, such as 192.0.2.10.")
        return host
    if len(labels) < 2 and host != "localhost":
        raise ValueError("The host must be a whole name, such as hooks.example.com.")
    return host


def _looks_like_a_number(label: str) -> bool:
    """The rule of browsers: a host whose last label is a number is an IPv4 address, or nothing."""
    return label.isdigit() or re.fullmatch(r"0x[0-9a-f]*", label) is not None


def _ip(host: str) -> object:
    try:
        return ip_address(host)
    except ValueError:
        return None
