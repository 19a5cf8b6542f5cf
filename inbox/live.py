"""Telling open sockets, from any process. At most once: the table is the truth, a socket that missed something
finds out by sequence number (inbox.consumers).

`channels`' own group_send costs an event loop and a round trip for each recipient, of whom almost nobody is online in
a campaign. This asks Redis once which inboxes are being watched and publishes to these only, in the wire format of
RedisPubSubChannelLayer.
"""

from __future__ import annotations

import functools
import time
import uuid
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
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
#: after a failure nobody is told for so long, so that a frozen Redis costs one timeout and not one a batch
REST_SECONDS = 5.0
_resting_until = 0.0


@dataclass(frozen=True, slots=True)
class Counters:
    """An inbox's counters. Both `last_seq` and the number of read messages only grow, so that of two Counters the
    later one is known without a clock."""

    last_seq: int = 0
    unread: int = 0

    def merged(self, other: Counters) -> Counters:
        """What is true when both were true at some time."""
        last_seq = max(self.last_seq, other.last_seq)
        read = max(self.last_seq - self.unread, other.last_seq - other.unread)
        return Counters(last_seq, last_seq - read)

    def as_json(self) -> dict[str, int]:
        return {"last_seq": self.last_seq, "unread": self.unread}


def group(recipient_id: uuid.UUID) -> str:
    """The name of the group of all sockets that show this inbox."""
    return f"inbox.{recipient_id.hex}"


def announce(inboxes: Collection[uuid.UUID], news_of: Callable[[uuid.UUID], Mapping[str, Any]]) -> None:
    """Tell the sockets of these inboxes. Never raises: nothing that is stored may depend on Redis. `news_of` is asked
    only for inboxes that are being watched."""
    global _resting_until
    if not inboxes or time.monotonic() < _resting_until:
        return
    try:
        _publish(_client(), {_topic(recipient_id): recipient_id for recipient_id in inboxes}, news_of)
    except redis.RedisError as error:
        _resting_until = time.monotonic() + REST_SECONDS
        log.warning("sockets not told", action="inbox.announce", inboxes=len(inboxes), error=type(error).__name__)


def _publish(
    client: redis.Redis, topics: Mapping[str, uuid.UUID], news_of: Callable[[uuid.UUID], Mapping[str, Any]]
) -> None:
    counted = cast("list[tuple[bytes, int]]", client.pubsub_numsub(*topics))
    watched = [topic.decode() for topic, sockets in counted if sockets]
    if not watched:
        return
    with client.pipeline(transaction=False) as pipe:
        for topic in watched:
            pipe.publish(topic, _wire_format(news_of(topics[topic])))
        pipe.execute()


def _wire_format(content: Mapping[str, Any]) -> bytes:
    serialize = get_channel_layer().serialize
    whole: bytes = serialize({"type": "inbox.news", **content})
    if len(whole) <= CARRY_AT_MOST:
        return whole
    light: bytes = serialize({"type": "inbox.news", **{k: v for k, v in content.items() if k != "messages"}})
    return light


def _topic(recipient_id: uuid.UUID) -> str:
    # as RedisPubSubLoopLayer._get_group_channel_name; a test holds it to the real layer
    return f"{_layer_config()['prefix']}__group__{group(recipient_id)}"


def _layer_config() -> dict[str, Any]:
    return cast("dict[str, Any]", settings.CHANNEL_LAYERS["default"]["CONFIG"])


@functools.cache
def _client() -> redis.Redis:
    # redis-py's default is three retries that wait up to 10 s; a batch of messages must not
    return redis.Redis.from_url(
        _layer_config()["hosts"][0]["address"],
        socket_timeout=1.0,
        socket_connect_timeout=1.0,
        retry=Retry(NoBackoff(), 1),
    )
