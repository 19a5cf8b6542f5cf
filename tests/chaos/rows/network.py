"""The network between workers and providers: slow, cut, half closed, silent, refusing."""

from __future__ import annotations

from collections.abc import Callable

from tests.chaos.context import Context
from tests.chaos.row import Row
from tests.chaos.stack import pids
from tests.chaos.stack.proxy import Proxy

IN_FLIGHT = "what was in flight"


def slow(context: Context) -> None:
    context.site.proxy.delay(0.4)
    context.pause(30, 3)


def broken(do: Callable[[Proxy], None]) -> Callable[[Context], None]:
    """Break every connection. What was in flight is counted while the workers are frozen."""

    def inject(context: Context) -> None:
        frozen = [pid for name in context.site.workers for pid in context.site.freeze(name)]
        try:
            context.allow_begun_by(*context.site.workers)
            context.expect(context.site.proxy.connections, "no connection was open")
            do(context.site.proxy)
        finally:
            pids.thaw(frozen)
        context.pause(5, 0.5)

    return inject


def silent(context: Context) -> None:
    """Nothing passes for longer than the provider timeout, and nobody is told. What was swallowed arrives later."""
    begun = context.ledger.begun()
    context.allow_begun_by(*context.site.workers)
    context.site.proxy.swallow()
    context.pause(20, 7)
    context.allow(context.ledger.begun() - begun)
    context.site.proxy.heal()


def refused(context: Context) -> None:
    """Every connection is cut, and no new one is accepted for some seconds."""
    broken(Proxy.refuse)(context)
    context.pause(20, 0.5)


CUT, HALF_CLOSED = broken(Proxy.cut), broken(Proxy.half_close)
ROWS = (
    Row("network slow", "each piece of data takes 0.4 s longer", slow, group="network 1"),
    Row("network cut", "every connection is reset", CUT, repeats=IN_FLIGHT, group="network 1", times=3),
    Row("network refuses", "reset, and no new connection", refused, repeats=IN_FLIGHT, group="network 2"),
    Row("network silent", "a black hole", silent, repeats="what was begun meanwhile", group="network 3"),
    Row("network half closed", "half of each connection", HALF_CLOSED, repeats=IN_FLIGHT, group="freeze", times=3),
)
