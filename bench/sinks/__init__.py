"""The far ends: HTTP/2 servers that nobody here wrote. They take every message, and the better ones count them."""

from __future__ import annotations

from bench.sinks.base import Sink
from bench.sinks.caddy import Caddy
from bench.sinks.nghttpd import Nghttpd
from bench.sinks.nginx import Nginx
from bench.sinks.sandbox import Sandbox

__all__ = ["Caddy", "Nghttpd", "Nginx", "Sandbox", "Sink", "installed"]

_SINKS: dict[str, type[Sink]] = {"nginx": Nginx, "nghttpd": Nghttpd, "caddy": Caddy}


def installed(wanted: tuple[str, ...]) -> list[type[Sink]]:
    """Those of `wanted` that this machine has. Without a wish: nginx and nghttpd, and Caddy where both are missing."""
    if wanted:
        return [_SINKS[name] for name in wanted if _SINKS[name].program()]
    found: list[type[Sink]] = [sink for sink in (Nginx, Nghttpd) if sink.program()]
    return found or ([Caddy] if Caddy.program() else [])
