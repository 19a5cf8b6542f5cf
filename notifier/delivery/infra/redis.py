"""The engine's connection to Redis or Valkey. Whatever is kept there may be lost at any moment."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.commands.core import Script
from redis.retry import Retry

#: Redis does not answer; callers continue without it
Unavailable = redis.RedisError

_client: redis.Redis | None = None


def client() -> redis.Redis:
    """One client a process, whose pool reconnects after a fork by itself; short timeouts, because Redis is optional."""
    global _client
    if _client is None:
        _client = redis.Redis.from_url(
            settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=1, retry=Retry(NoBackoff(), 1)
        )
    return _client


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
