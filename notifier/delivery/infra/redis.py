"""Every connection to Redis or Valkey is made here, so that all of them find the server that Sentinel has chosen; and
the engine's own client. Whatever is kept there may be lost at any moment."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import redis
import redis.asyncio
import redis.asyncio.sentinel
import redis.sentinel
from django.conf import settings
from redis.backoff import NoBackoff
from redis.commands.core import Script
from redis.retry import Retry

from notifier.values.redis_address import SentinelAddress, read_sentinel

#: Redis does not answer; callers continue without it
Unavailable = redis.RedisError

#: seconds that one sentinel may take to answer, before the next one is asked
_SENTINEL_SECONDS = 1.0
_client: redis.Redis | None = None


def client() -> redis.Redis:
    """One client a process, whose pool reconnects after a fork by itself; short timeouts, because Redis is optional."""
    global _client
    if _client is None:
        _client = connect(socket_timeout=2, socket_connect_timeout=1, retry=Retry(NoBackoff(), 1))
    return _client


def connect(**options: Any) -> redis.Redis:
    """A client of the server that the settings name, or of the one that Sentinel has chosen: each new connection asks
    the sentinels."""
    return redis.Redis.from_pool(pool(**options))


def pool(**options: Any) -> redis.ConnectionPool:
    """The same without the client, for single connections."""
    address = read_sentinel(settings.REDIS_URL)
    if address is None:
        return redis.ConnectionPool.from_url(settings.REDIS_URL, **options)
    sentinels = redis.sentinel.Sentinel(address.sentinels, sentinel_kwargs=_sentinel_options(address))  # type: ignore[no-untyped-call]
    return redis.sentinel.SentinelConnectionPool(address.master, sentinels, **_server_options(address), **options)  # type: ignore[no-untyped-call]


def async_pool(**options: Any) -> redis.asyncio.ConnectionPool:
    """The pool of asyncio. A connection refers to it weakly, so keep it."""
    address = read_sentinel(settings.REDIS_URL)
    if address is None:
        return redis.asyncio.ConnectionPool.from_url(settings.REDIS_URL, **options)
    sentinels = redis.asyncio.sentinel.Sentinel(address.sentinels, sentinel_kwargs=_sentinel_options(address))  # type: ignore[no-untyped-call]
    return redis.asyncio.sentinel.SentinelConnectionPool(
        address.master, sentinels, **_server_options(address), **options
    )  # type: ignore[no-untyped-call]


def _sentinel_options(address: SentinelAddress) -> dict[str, Any]:
    timeouts = {"socket_timeout": _SENTINEL_SECONDS, "socket_connect_timeout": _SENTINEL_SECONDS}
    return {**timeouts, **address.sentinel_login}


def _server_options(address: SentinelAddress) -> dict[str, Any]:
    return {"db": address.database, **address.login}


def run_script(script: str, keys: Sequence[str], arguments: Sequence[Any] = ()) -> Any:
    """Run a Lua script, which is one step for all clients of Redis. Raises Unavailable."""
    return _script(script)(keys=keys, args=arguments, client=client())


@cache
def _script(text: str) -> Script:
    # made once: its name in Redis is the hash of its text
    return client().register_script(text)


def reset() -> None:
    """Forget the client; the next one reads the settings again."""
    global _client
    _client = None
    _script.cache_clear()
