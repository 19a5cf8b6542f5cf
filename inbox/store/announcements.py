"""Announces changes of inboxes to their open sockets, from any process.

An announcement arrives at most once. The table is the truth: a socket that missed an announcement finds out by sequence
number (inbox.live.sync_state).

In a campaign almost no recipient is online. For a batch, this module asks Redis once which inboxes have open sockets
and publishes to these only, in one round trip. Web processes subscribe with `inbox.live.subscriber`.
"""

from __future__ import annotations

import functools
import time
import uuid
from collections.abc import Callable, Collection, Mapping
from typing import Any, cast

import orjson
import redis
import structlog
from redis.backoff import NoBackoff
from redis.retry import Retry

from notifier.delivery.infra.redis import connect

log = structlog.get_logger("inbox")

#: a larger announcement (bytes) carries only the counters, and the sockets read the messages from the table
CARRY_AT_MOST = 32 * 1024
#: after a failure, announcements pause for so long: a frozen Redis then costs one timeout, not one a batch
PAUSE_SECONDS = 5.0
_paused_until = 0.0
#: so few announcements are published without asking who listens: one round trip instead of two
FEW = 1
#: the parts of an announcement that have no bound
_CONTENT = ("messages", "changes")
_PREFIX = "inbox:"


def topic(recipient_id: uuid.UUID) -> str:
    """The Redis channel of this inbox."""
    return _PREFIX + recipient_id.hex


def recipient_of(name: bytes) -> uuid.UUID:
    """The inbox of a Redis channel."""
    return uuid.UUID(hex=name[len(_PREFIX) :].decode())


def announce(inboxes: Collection[uuid.UUID], news_of: Callable[[uuid.UUID], Mapping[str, Any]]) -> None:
    """Announce news to the open sockets of these inboxes. `news_of` is called for FEW inboxes, and else only for
    inboxes with an open socket.
    Never raises, because a stored message must not depend on Redis."""
    if not inboxes or time.monotonic() < _paused_until:
        return
    try:
        _publish(_client(), {topic(recipient_id): recipient_id for recipient_id in inboxes}, news_of)
    except redis.RedisError as error:
        pause(PAUSE_SECONDS)
        log.warning("sockets not notified", action="inbox.announce", inboxes=len(inboxes), error=type(error).__name__)


def pause(seconds: float) -> None:
    """Drop announcements for so long."""
    global _paused_until
    _paused_until = time.monotonic() + seconds


def reset() -> None:
    """End a pause, and connect anew to the Redis that the settings name."""
    global _paused_until
    _paused_until = 0.0
    _client.cache_clear()


def _publish(
    client: redis.Redis, topics: Mapping[str, uuid.UUID], news_of: Callable[[uuid.UUID], Mapping[str, Any]]
) -> None:
    watched = list(topics) if len(topics) <= FEW else _watched(client, topics)
    if not watched:
        return
    with client.pipeline(transaction=False) as pipe:
        for name in watched:
            pipe.publish(name, _encode(news_of(topics[name])))
        pipe.execute()


def _watched(client: redis.Redis, topics: Collection[str]) -> list[str]:
    subscribers = cast("list[tuple[bytes, int]]", client.pubsub_numsub(*topics))
    return [name.decode() for name, count in subscribers if count]


def _encode(content: Mapping[str, Any]) -> bytes:
    complete = orjson.dumps(content)
    if len(complete) <= CARRY_AT_MOST:
        return complete
    return orjson.dumps({name: value for name, value in content.items() if name not in _CONTENT})


@functools.cache
def _client() -> redis.Redis:
    # redis-py's default of three retries waits up to 10 s, too long for a batch of messages
    return connect(socket_timeout=1.0, socket_connect_timeout=1.0, retry=Retry(NoBackoff(), 1))
