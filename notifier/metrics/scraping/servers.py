"""Facts of the servers: PostgreSQL's connections, size and age, Redis' memory and Celery's queues."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import Metric

from notifier.channels.queues import queues
from notifier.delivery.infra import redis
from notifier.metrics.scraping.readers import gauge, rows, single

_POSTGRES = """
SELECT (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()),
  current_setting('max_connections')::int,
  pg_database_size(current_database()),
  (SELECT age(datfrozenxid) FROM pg_database WHERE datname = current_database()),
  coalesce((SELECT extract(epoch FROM statement_timestamp() - min(xact_start)) FROM pg_stat_activity
            WHERE datname = current_database() AND backend_type = 'client backend'), 0)::float8
"""


def read_postgres() -> Iterator[Metric]:
    """One statement."""
    [(connections, most, size, age, transaction)] = rows(_POSTGRES)
    yield single("postgres_connections", "Connections to the database", connections)
    yield single("postgres_connections_limit", "max_connections of PostgreSQL", most)
    yield single("postgres_database_bytes", "Size of the database", size)
    yield single("postgres_transaction_age", "Transactions since the oldest row that is not frozen", age)
    yield single("postgres_longest_transaction_seconds", "Age of the oldest open transaction", transaction)


def read_redis() -> list[Metric]:
    """One round trip. Raises redis.Unavailable."""
    names = queues()
    with redis.client().pipeline(transaction=False) as pipe:
        pipe.info("memory")
        pipe.info("clients")
        for name in names:
            pipe.llen(name)
        pipe.hlen("unacked")
        memory, clients, *lengths, unacked = pipe.execute()
    tasks = list(zip(names, lengths, strict=True))
    return [
        gauge("celery_queue_tasks", "Tasks that no worker has taken", ("queue",), tasks),
        single("celery_unacknowledged_tasks", "Tasks that a worker has taken and not finished", unacked),
        single("redis_memory_bytes", "Memory that Redis uses", memory["used_memory"]),
        single("redis_memory_limit_bytes", "maxmemory of Redis; 0: no limit", memory["maxmemory"]),
        single("redis_clients", "Connections to Redis", clients["connected_clients"]),
    ]
