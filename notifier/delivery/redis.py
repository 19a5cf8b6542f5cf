"""The engine's connection to Redis or Valkey. Whatever is kept there may be lost at any moment."""

from __future__ import annotations

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

#: what "Redis is away" looks like; callers go on without it
Away = redis.RedisError

_client: redis.Redis | None = None


def client() -> redis.Redis:
    """One client a process (its pool reconnects after a fork by itself); short timeouts, because it is optional."""
    global _client
    if _client is None:
        _client = redis.Redis.from_url(
            settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=1, retry=Retry(NoBackoff(), 1)
        )
    return _client
