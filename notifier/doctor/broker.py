"""Redis or Valkey: reachable, new enough, and with room that it does not make by forgetting."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from notifier.channels.queues import queues
from notifier.delivery.infra import redis
from notifier.doctor.findings import Finding, error, warning
from notifier.doctor.registry import Options, Server, register

AWAY = error(
    "redis", "Messages leave when the sweep finds them; rate limits and live inboxes rest.", "start it; check REDIS_URL"
)
OLD = error("redis-version", "The product needs Redis 7 or Valkey.", "upgrade it")
POLICY = error(
    "redis-policy",
    "When memory is full it drops tasks, rate limits and what mail servers have accepted.",
    "`CONFIG SET maxmemory-policy noeviction`, and in its configuration",
)
MEMORY = warning("redis-memory", "When memory is full it refuses writes.", "raise maxmemory; see long queues below")
LONG_QUEUE = warning(
    "long-queue", "Its workers are too few, or stand still.", "start more workers of the queue; look at Flower"
)
#: tasks that may wait in a queue: a campaign of ten million has 2,000 shards
MOST_TASKS = 5_000


def away(options: Options) -> Iterator[Finding]:
    try:
        redis.client().ping()
    except redis.Unavailable as problem:
        yield AWAY.says(f"Redis cannot be reached ({type(problem).__name__}).")


def server(options: Options) -> Iterator[Finding]:
    info: Mapping[str, Any] = redis.client().info()
    yield from judge(info)


def judge(info: Mapping[str, Any]) -> Iterator[Finding]:
    """By the answer to INFO. Pure."""
    version = str(info.get("redis_version", "0"))
    if int(version.partition(".")[0]) < 7 and "valkey_version" not in info:
        yield OLD.says(f"The server is Redis {version}.")
    policy, most = str(info.get("maxmemory_policy", "noeviction")), int(info.get("maxmemory", 0))
    if most and policy != "noeviction":
        yield POLICY.says(f"maxmemory-policy is {policy}.")
    used = int(info.get("used_memory", 0))
    if most and used > 0.8 * most:
        yield MEMORY.says(f"{used // 1024**2} of {most // 1024**2} MiB are used.")


def lengths(options: Options) -> Iterator[Finding]:
    for queue in queues():
        length = int(redis.client().llen(queue))
        if length > MOST_TASKS:
            yield LONG_QUEUE.says(f"{length} tasks wait in the queue {queue}.")


def register_checks() -> None:
    register("redis", away, proves=Server.REDIS)
    register("server of Redis", server, Server.REDIS)
    register("queues", lengths, Server.REDIS)
