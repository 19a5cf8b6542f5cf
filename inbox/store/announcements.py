"""Announces changes of inboxes to their open sockets, from any process.

An announcement arrives at most once. The table is the truth: a socket that missed an announcement finds out by sequence
number (inbox.live.consumers).

The group_send of `channels` costs an event loop and a round trip for each recipient, and in a campaign almost no
recipient is online. This module asks Redis once which inboxes have open sockets and publishes to these only, in the
format of RedisPubSubChannelLayer.
"""

from __future__ import annotations

import functools
import time
import uuid
from collections.abc import Callable, Collection, Mapping
from typing import Any, cast

import redis
import structlog
from channels.layers import get_channel_layer
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

log = structlog.get_logger("inbox")

#: a larger announcement (bytes) carries only the counters, and the sockets read the messages from the table
CARRY_AT_MOST = 32 * 1024
#: after a failure, announcements pause for so long: a frozen Redis then costs one timeout, not one a batch
PAUSE_SECONDS = 5.0
_paused_until = 0.0
#: the parts of an announcement that have no bound
_CONTENT = ("messages", "changes")


def group_name(recipient_id: uuid.UUID) -> str:
    """The channel layer's group of all sockets that show this inbox."""
    return f"inbox.{recipient_id.hex}"


def announce(inboxes: Collection[uuid.UUID], news_of: Callable[[uuid.UUID], Mapping[str, Any]]) -> None:
    """Announce news to the open sockets of these inboxes. `news_of` is called only for inboxes with an open socket.
    Never raises, because a stored message must not depend on Redis."""
    if not inboxes or time.monotonic() < _paused_until:
        return
    try:
        _publish(_client(), {_topic(recipient_id): recipient_id for recipient_id in inboxes}, news_of)
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
    subscribers = cast("list[tuple[bytes, int]]", client.pubsub_numsub(*topics))
    watched = [topic.decode() for topic, count in subscribers if count]
    if not watched:
        return
    with client.pipeline(transaction=False) as pipe:
        for topic in watched:
            pipe.publish(topic, _encode(news_of(topics[topic])))
        pipe.execute()


def _encode(content: Mapping[str, Any]) -> bytes:
    serialize = get_channel_layer().serialize
    complete: bytes = serialize({"type": "inbox.news", **content})
    if len(complete) <= CARRY_AT_MOST:
        return complete
    counters_only: bytes = serialize({"type": "inbox.news", **{k: v for k, v in content.items() if k not in _CONTENT}})
    return counters_only


def _topic(recipient_id: uuid.UUID) -> str:
    # the same name as RedisPubSubLoopLayer._get_group_channel_name; a test compares it with the real layer
    return f"{_layer_config()['prefix']}__group__{group_name(recipient_id)}"


def _layer_config() -> dict[str, Any]:
    return cast("dict[str, Any]", settings.CHANNEL_LAYERS["default"]["CONFIG"])


@functools.cache
def _client() -> redis.Redis:
    # redis-py's default of three retries waits up to 10 s, too long for a batch of messages
    return redis.Redis.from_url(
        _layer_config()["hosts"][0]["address"],
        socket_timeout=1.0,
        socket_connect_timeout=1.0,
        retry=Retry(NoBackoff(), 1),
    )
