"""Where and how to send: the server and the login that the messages of one account share, read from the headers of a
request."""

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
    """`hello`: our host name, for EHLO. `connections`: of one process, at most. `per_connection`: messages after which
    a connection is closed."""

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
    ValueError for an origin or a header that is not valid."""
    match = _ORIGIN.fullmatch(origin)
    values = dict(headers)
    hello = values.get("hello") or "localhost"
    if not match or not _HELLO.fullmatch(hello):
        raise ValueError("not an SMTP server")
    return Settings(
        match[1].strip("[]"),
        int(match[2]),
        Security(values.get("security", Security.STARTTLS)),
        _login(values),
        hello,
        int(values.get("connections", 4)),
        int(values.get("per_connection", 500)),
    )


def _login(values: Mapping[str, str]) -> Login | None:
    if not values.get("user"):
        return None
    return Login(values["user"], values.get("password", ""), values.get("token", ""))
