"""Valkey loses its data, ends, freezes or is full: all of it may be lost at any time."""

from __future__ import annotations

from collections.abc import Callable

from tests.chaos.context import Context
from tests.chaos.row import Row, When
from tests.chaos.stack import pids


def flushed(times: int) -> Callable[[Context], None]:
    def inject(context: Context) -> None:
        for _ in range(times):
            with context.redis as client:
                client.flushall()
            context.pause(2, 0.5)

    return inject


def killed(context: Context) -> None:
    """kill -9, some seconds without it, and an empty one in its place."""
    context.site.kill("valkey")
    context.pause(30, 5)
    context.site.start("valkey")


def frozen(context: Context) -> None:
    """It takes connections and answers nothing."""
    stopped = context.site.freeze("valkey")
    context.pause(60, 12)
    pids.thaw(stopped)


def full(context: Context) -> None:
    """Every write is refused with OOM."""
    with context.redis as client:
        client.config_set("maxmemory", 1)
        context.pause(20, 4)
        client.config_set("maxmemory", 0)


ROWS = (
    Row(
        "valkey flushed while arming",
        "FLUSHALL while the campaigns are armed",
        flushed(1),
        When.ARMING,
        group="valkey 1",
    ),
    Row("valkey flushed at go", "FLUSHALL right after GO", flushed(1), When.LAUNCH, group="valkey 1"),
    Row("valkey flushed", "FLUSHALL, again and again", flushed(5), group="valkey 1", times=2),
    Row("valkey full", "maxmemory is reached", full, group="valkey 1", times=2),
    Row("valkey killed", "kill -9, some seconds away, then empty", killed, group="valkey 2", times=3),
    Row("valkey frozen", "frozen: it answers nothing", frozen, group="valkey 2", times=2),
)
