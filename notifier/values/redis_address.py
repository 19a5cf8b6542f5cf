"""Where Redis or Valkey is: the parts of REDIS_URL. Pure.

Of one server: `redis://:password@host:6379/0`. Of a server that Sentinel watches, and that another one may replace:
`redis+sentinel://:password@host-a:26379,host-b:26379,host-c:26379/mymaster/0?sentinel_password=…`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

SENTINEL_SCHEME = "redis+sentinel"
SENTINEL_PORT = 26379
_OPTIONS = frozenset({"sentinel_username", "sentinel_password"})


@dataclass(frozen=True)
class SentinelAddress:
    """The sentinels, the name under which they watch the server, and what logs in to both."""

    sentinels: tuple[tuple[str, int], ...]
    master: str
    database: int = 0
    #: `username` and `password` of the server
    login: Mapping[str, str] = field(default_factory=dict, repr=False)
    #: those of the sentinels
    sentinel_login: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def broker_url(self) -> str:
        """The address as Celery writes it: a URL for each sentinel, each with the login of the server."""
        return ";".join(self._url(sentinel, self._login) for sentinel in self.sentinels)

    @property
    def result_url(self) -> str:
        """The same for results. Celery reads the login of the first URL only, and masks only that one when it shows the
        settings of workers to Flower."""
        first, *rest = self.sentinels
        return ";".join([self._url(first, self._login), *(self._url(sentinel, "") for sentinel in rest)])

    @property
    def _login(self) -> str:
        name, password = self.login.get("username", ""), self.login.get("password", "")
        return f"{quote(name, safe='')}:{quote(password, safe='')}@" if name or password else ""

    def _url(self, sentinel: tuple[str, int], login: str) -> str:
        host, port = sentinel
        return f"sentinel://{login}{_host(host)}:{port}/{self.database}"

    @property
    def celery_options(self) -> dict[str, Any]:
        """What Celery's URL has no place for."""
        return {"master_name": self.master, "sentinel_kwargs": {"socket_timeout": 2.0, **self.sentinel_login}}


def read_sentinel(url: str) -> SentinelAddress | None:
    """The parts of such a URL; None for the URL of one server. Raises ValueError, which names what is missing."""
    parts = urlsplit(url)
    if parts.scheme != SENTINEL_SCHEME:
        return None
    login, _, hosts = parts.netloc.rpartition("@")
    name, _, password = login.partition(":")
    master, _, database = parts.path.strip("/").partition("/")
    if not hosts or not master:
        raise ValueError(f"REDIS_URL names no sentinels or no master: {SENTINEL_SCHEME}://:password@host:port/master/0")
    options = {key: values[0] for key, values in parse_qs(parts.query).items()}
    if unknown := options.keys() - _OPTIONS:
        raise ValueError(f"REDIS_URL has unknown options: {', '.join(sorted(unknown))}")
    return SentinelAddress(
        sentinels=tuple(_sentinel(host) for host in hosts.split(",")),
        master=unquote(master),
        database=int(database or 0),
        login=_given(username=unquote(name), password=unquote(password)),
        sentinel_login=_given(
            username=options.get("sentinel_username", ""), password=options.get("sentinel_password", "")
        ),
    )


def _given(**values: str) -> dict[str, str]:
    return {key: value for key, value in values.items() if value}


def _sentinel(text: str) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    if not parts.hostname:
        raise ValueError(f"REDIS_URL has a sentinel without a host: {text!r}")
    return parts.hostname, parts.port or SENTINEL_PORT


def _host(host: str) -> str:
    return f"[{host}]" if ":" in host else host
