"""Where and how to send: what the messages of one account share, as it travels in the headers of a request."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from notifier.transport.smtp.connection import Security
from notifier.transport.smtp.login import Login

_ORIGIN = re.compile(r"smtp://([A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\]):([0-9]{1,5})")
_HELLO = re.compile(r"[A-Za-z0-9.:\[\]-]{1,255}")


@dataclass(frozen=True)
class Settings:
    """`connections`: at most so many of one process; `per_connection`: messages after which one is closed."""

    host: str
    port: int
    security: Security = Security.STARTTLS
    login: Login | None = None
    hello: str = "localhost"
    connections: int = 4
    per_connection: int = 500


@lru_cache(maxsize=512)
def settings_of(origin: str, headers: tuple[tuple[str, str], ...]) -> Settings:
    """Origin: smtp://host:port. Headers: security, user, password or token, hello, connections, per_connection. Raises
    ValueError for what cannot be."""
    place = _ORIGIN.fullmatch(origin)
    given = dict(headers)
    hello = given.get("hello") or "localhost"
    if not place or not _HELLO.fullmatch(hello):
        raise ValueError("not an SMTP server")
    return Settings(
        place[1].strip("[]"),
        int(place[2]),
        Security(given.get("security", Security.STARTTLS)),
        _login(given),
        hello,
        int(given.get("connections", 4)),
        int(given.get("per_connection", 500)),
    )


def _login(given: Mapping[str, str]) -> Login | None:
    if not given.get("user"):
        return None
    return Login(given["user"], given.get("password", ""), given.get("token", ""))
