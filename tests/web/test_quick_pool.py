"""The pool of a web process while its database is away, and when it is back."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from django.db import connection
from psycopg_pool import PoolTimeout

from notifier.local.servers.ports import free_port
from notifier.web.postgresql.quick_pool import QuickPool
from tests.flows.wait import until

#: seconds: a caller that waited for all of it would end the run
LONGEST = 3_000.0


class Address:
    """Where the database is; `away`: where nobody listens."""

    def __init__(self) -> None:
        self.away, self._nowhere = False, free_port()

    def __call__(self) -> str:
        at = dict(connection.get_connection_params())
        known = {"host": at.get("host"), "port": at.get("port"), "user": at["user"], "password": at.get("password")}
        if self.away:
            known.update(host="127.0.0.1", port=self._nowhere)
        return psycopg.conninfo.make_conninfo(dbname=at["dbname"], **known)


@pytest.fixture
def address(db: None) -> Address:
    return Address()


@pytest.fixture
def pool(address: Address) -> Iterator[QuickPool]:
    with QuickPool(address, min_size=1, max_size=3, timeout=LONGEST, reconnect_timeout=1.0, open=False) as pool:
        yield pool


def test_a_caller_does_not_wait_for_a_database_that_is_away(address: Address, pool: QuickPool) -> None:
    held = [pool.getconn()]
    address.away = True
    while (more := _connection(pool)) is not None:  # the pool may have opened more than one before
        held.append(more)
    for _ in range(20):
        with pytest.raises(PoolTimeout):
            pool.getconn()
    address.away = False
    found = until(lambda: _connection(pool), "the pool to connect again")
    assert found is not None
    assert found.execute("SELECT 1").fetchone() == (1,)
    for each in (*held, found):
        pool.putconn(each)


def _connection(pool: QuickPool) -> psycopg.Connection[Any] | None:
    try:
        return pool.getconn()
    except PoolTimeout:
        return None


def test_one_broken_connection_lets_the_pool_replace_all(pool: QuickPool) -> None:
    held = [pool.getconn() for _ in range(3)]
    backends = [each.info.backend_pid for each in held]
    for each in held[1:]:
        pool.putconn(each)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pid) FROM unnest(%s::int[]) AS pid", [backends])
    with pytest.raises(psycopg.OperationalError):
        held[0].execute("SELECT 1")
    pool.putconn(held[0])
    for _ in range(3):
        fresh = pool.getconn()
        assert fresh.execute("SELECT 1").fetchone() == (1,)
        assert fresh.info.backend_pid not in backends


def test_a_busy_pool_is_waited_for(pool: QuickPool) -> None:
    held = [pool.getconn() for _ in range(3)]
    with pytest.raises(PoolTimeout):
        pool.getconn(timeout=0.1)
    for each in held:
        pool.putconn(each)
    pool.putconn(pool.getconn(timeout=0.1))


def test_a_pool_that_cannot_grow_serves_its_callers_in_their_order(address: Address) -> None:
    # connections that worked within 0.8 of reconnect_timeout say that the database is there
    with QuickPool(address, min_size=1, max_size=2, timeout=LONGEST, reconnect_timeout=LONGEST, open=False) as pool:
        pool.wait(60.0)  # else the first caller makes the pool grow
        held = pool.getconn()
        address.away = True
        served: list[int] = []

        def call(number: int) -> None:
            connection = pool.getconn()
            served.append(number)
            pool.putconn(connection)

        with ThreadPoolExecutor(3) as threads:
            calls = []
            for number in range(3):
                calls.append(threads.submit(call, number))
                until(lambda: pool.get_stats().get("requests_waiting") == len(calls), "the caller to wait")
            until(lambda: pool.get_stats().get("connections_errors", 0) > 1, "failed attempts to grow")
            pool.putconn(held)
            for each in calls:
                each.result()
        assert served == [0, 1, 2]
        address.away = False


def test_callers_that_wait_are_refused_once_the_database_is_away(address: Address, pool: QuickPool) -> None:
    held = [pool.getconn() for _ in range(3)]
    address.away = True
    with ThreadPoolExecutor(2) as threads:
        calls = [threads.submit(pool.getconn) for _ in range(2)]
        until(lambda: pool.get_stats().get("requests_waiting") == 2, "the callers to wait")
        for each in held:
            each.close()
            pool.putconn(each)
        for call in calls:
            with pytest.raises(PoolTimeout):
                call.result()
    address.away = False
