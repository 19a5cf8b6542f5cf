"""Several workers at once, a worker that is held up in the middle of a transaction, and the tasks on a queue."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import orjson
from django.db import connection, transaction

from notifier.channels.queues import BATCH
from notifier.delivery.infra import redis


def in_parallel(*work: Callable[[], Any]) -> list[Any]:
    """Do each on a connection of its own, all at once; returns the results."""
    with ThreadPoolExecutor(len(work)) as pool:
        return list(pool.map(_on_own_connection, work))


@contextmanager
def held_up(work: Callable[[], Any], lock: str) -> Iterator[int]:
    """`work` runs on a connection of its own until it waits for what the statement `lock` locks. The block runs
    meanwhile, in the transaction of the lock, and gets the process id of the waiting backend; then `work` goes on."""
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(lock)
            future = pool.submit(_on_own_connection, work)
            yield _waiting_backend(future)
        future.result(60)


def terminate(backend: int) -> None:
    """Cut the connection of a backend: what its process would see when PostgreSQL or the network goes down."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [backend])


def tasks_on(queue: str = BATCH) -> list[tuple[str, ...]]:
    """The tasks that lie on a queue, the oldest first: name and arguments."""
    messages = [orjson.loads(raw) for raw in reversed(redis.client().lrange(queue, 0, -1))]
    return [(m["headers"]["task"], *orjson.loads(base64.b64decode(m["body"]))[0]) for m in messages]


def take_tasks(queue: str = BATCH) -> list[tuple[str, ...]]:
    """The same, and the queue is empty afterwards, as if workers had taken all tasks."""
    tasks = tasks_on(queue)
    redis.client().delete(queue)
    return tasks


def _on_own_connection(work: Callable[[], Any]) -> Any:
    try:
        return work()
    finally:
        connection.close()


def _waiting_backend(future: Future[Any]) -> int:
    until = time.monotonic() + 60
    with connection.cursor() as cursor:
        while time.monotonic() < until and not future.done():
            cursor.execute("SELECT pid FROM pg_locks WHERE NOT granted")
            if row := cursor.fetchone():
                return int(row[0])
            time.sleep(0.01)
    raise AssertionError("the work did not wait for the lock")
