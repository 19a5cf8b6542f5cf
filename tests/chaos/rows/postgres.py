"""PostgreSQL ends, loses its connections, or has a full disk."""

from __future__ import annotations

import time
from collections.abc import Callable

import psycopg

from tests.chaos.context import Context
from tests.chaos.row import Row, When
from tests.chaos.stack.small_disk import SmallDisk

_NO_SPACE = b"No space left on device"
#: notifications of one request, more than a full disk has room for; and the keys of requests until one is refused
_ITEMS, _KEYS = 500, [str(n) for n in range(10)]
_TERMINATE = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""


def stopped(times: int) -> Callable[[Context], None]:
    """All its processes end at once, without a last write; it recovers from its log."""

    def inject(context: Context) -> None:
        for _ in range(times):
            context.site.kill("postgres")
            context.pause(5, 1)
            context.site.start("postgres")
            context.pause(2, 0.5)

    return inject


def terminated(context: Context) -> None:
    """Every connection is closed, again and again."""
    until, closed = time.monotonic() + context.seconds(30, 4), 0
    while time.monotonic() < until:
        with psycopg.connect(context.ledger.url, autocommit=True) as connection:
            closed += connection.execute(_TERMINATE).fetchall()[0][0]
        time.sleep(0.5)
    context.note(f"{closed} connections")


def full_disk(context: Context) -> None:
    """The tables that grow are on a disk that is full: a request of many notifications is refused, and accepted by its
    key when there is room again."""
    with SmallDisk(context.site) as disk:
        disk.fill()
        log = context.site.log("postgres")
        known = log.stat().st_size
        refused = next((key for key in _KEYS if not _stores(context, key)), None)
        context.pause(20, 4)
        writes = log.read_bytes()[known:].count(_NO_SPACE)
        context.expect(refused and writes, f"the disk was not full: {writes} writes were refused")
        disk.empty()
    context.until(lambda: _stores(context, str(refused)), "the refused request to be accepted")
    context.note(f"{writes} writes were refused")


def _stores(context: Context, key: str) -> bool:
    """Post many notifications; whether they were accepted."""
    side = context.sides[0]
    items = [{"recipient": f"u{n % side.size}", "template": "order", "channels": ["in_app"]} for n in range(_ITEMS)]
    key = f"full-disk-{context.options.seed}-{len(context.rounds)}-{key}"
    answer = side.tenant.api.call("POST", "/v1/notifications/bulk", {"items": items}, idempotency_key=key)
    if answer.status != 202:
        context.expect(answer.status == 503, f"a full disk was answered {answer.status}")
        return False
    context.notifications += [item["id"] for item in answer.json["items"]]
    context.own_messages += _ITEMS
    return True


ROWS = (
    Row("postgres stopped at go", "PostgreSQL ends at once, after GO", stopped(1), When.LAUNCH, group="postgres 1"),
    Row("postgres stopped", "PostgreSQL ends at once", stopped(1), group="postgres 1", times=3),
    Row("postgres stopped twice", "PostgreSQL ends again while it recovers", stopped(2), group="postgres 2", times=2),
    Row("postgres backends", "pg_terminate_backend in a loop", terminated, group="postgres 2", times=2),
    Row("postgres disk full", "the disk of the tables that grow is full", full_disk, group="postgres 3", in_soak=False),
)
