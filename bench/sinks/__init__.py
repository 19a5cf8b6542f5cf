"""The sinks: HTTP/2 servers that we did not write, smtp-sink (smtp.py), and our sandbox. A sink takes every message;
most count them."""

from __future__ import annotations

from bench.sinks.base import Sink
from bench.sinks.caddy import Caddy
from bench.sinks.nghttpd import Nghttpd
from bench.sinks.nginx import Nginx
from bench.sinks.sandbox import Sandbox

__all__ = ["Caddy", "Nghttpd", "Nginx", "Sandbox", "Sink", "installed"]

_SINKS: dict[str, type[Sink]] = {"nginx": Nginx, "nghttpd": Nghttpd, "caddy": Caddy}


def installed(chosen: tuple[str, ...]) -> list[type[Sink]]:
    """The sinks of `chosen` that this machine has. When `chosen` is empty: nginx and nghttpd, or Caddy when both are
    missing."""
    if chosen:
        return [_SINKS[name] for name in chosen if _SINKS[name].program()]
    usual: list[type[Sink]] = [sink for sink in (Nginx, Nghttpd) if sink.program()]
    return usual or ([Caddy] if Caddy.program() else [])
