"""Processes that end, freeze or run out of memory."""

from __future__ import annotations

import time
from collections.abc import Callable

from tests.chaos.context import Context
from tests.chaos.row import BEGUN, Row, When
from tests.chaos.stack import pids


def killed(*names: str) -> Callable[[Context], None]:
    """kill -9 of these programs, then a new start."""

    def inject(context: Context) -> None:
        context.kill(*names)
        context.site.start(*names)

    return inject


def kill_everything(context: Context) -> None:
    programs = context.site.programs
    context.kill(*programs)
    context.site.start(*programs)


def kill_a_pool_child(context: Context) -> None:
    """A worker with processes as pool, as docker-compose.yml runs it, loses one of them and goes on."""
    name = "worker:push.bulk:1"
    context.terminate(name)
    context.site.start_varied(name, {}, "--pool", "prefork")
    for _ in range(1 if context.options.short else 5):
        _kill_child(context, name)
    context.terminate(name)


def _kill_child(context: Context, name: str) -> None:
    [parent] = context.site.pids(name)
    found = pids.children(parent)
    context.expect(found, "the worker has no child")
    pids.freeze([parent])
    context.allow_begun_by(name)
    pids.kill(found[0])
    pids.thaw([parent])
    context.until(lambda: set(pids.children(parent)) - set(found), "another child")


def exhaust_memory(context: Context) -> None:
    """No allocation of a worker succeeds for some seconds."""
    name = "worker:push.bulk:2" if len(context.site.pids("worker:push.bulk")) > 1 else "worker:push.bulk:1"
    limited = context.site.pids(name)
    context.allow_begun_by(name)
    for pid in limited:
        pids.limit_memory(pid, 0)
    context.pause(10, 3)
    if [pid for pid in limited if pid in context.site.pids(name)]:
        context.kill(name)  # what is left of it, as the kernel does
    context.site.stop(name)


def term_in_turn(context: Context) -> None:
    """A deployment ends and starts each program, one after the other."""
    programs = context.site.programs if not context.options.short else SHORT_DEPLOYMENT
    for name in programs:
        context.terminate(name)
        context.site.start(name)
        context.pause(10, 0)


SHORT_DEPLOYMENT = ["worker:push.bulk:1", "worker:email.bulk:1", "worker:sms.bulk:1", "worker:control:1", "web", "beat"]


def frozen(*names: str) -> Callable[[Context], None]:
    return lambda context: context.freeze_past_lease(*names)


def freeze_one(context: Context) -> None:
    """Another worker takes the shards of the frozen one; the frozen one must not write when it wakes."""
    context.freeze_past_lease("worker:push.bulk:1")


def without_workers(context: Context) -> None:
    """All workers are away while notifications are accepted."""
    context.kill(*context.site.workers)
    time.sleep(context.seconds(10, 2))
    context.site.start(*context.site.workers)


def _kill_row(queue: str, group: str, when: When = When.SENDING) -> Row:
    name = f"worker:{queue}"
    return Row(f"kill {queue}", f"kill -9 of all workers of {queue}", killed(name), when, BEGUN, group, times=5)


BULK = ("worker:push.bulk", "worker:email.bulk", "worker:sms.bulk")
ROWS = (
    _kill_row("batch", "kill 1", When.ARMING),
    _kill_row("control", "kill 1", When.LAUNCH),
    _kill_row("push.bulk", "kill 1"),
    _kill_row("email.bulk", "kill 1"),
    _kill_row("receipts", "kill 1"),
    _kill_row("in_app.bulk", "kill 2", When.LAUNCH),
    _kill_row("sms.bulk", "kill 2"),
    _kill_row("push", "kill 2"),
    _kill_row("email", "kill 2"),
    _kill_row("sms", "kill 2"),
    _kill_row("in_app", "kill 2"),
    Row("kill beat", "kill -9 of beat", killed("beat"), group="kill 1", times=5),
    Row("kill web", "kill -9 of the web process", killed("web"), group="kill 1", times=5),
    Row("kill all", "kill -9 of all programs at once", kill_everything, repeats=BEGUN, group="kill 3", times=5),
    Row("no workers", "all workers are away while requests come", without_workers, repeats=BEGUN, group="kill 3"),
    Row("kill pool child", "kill -9 of a prefork worker's child", kill_a_pool_child, repeats=BEGUN, group="kill 4"),
    Row("memory bomb", "no allocation of a worker succeeds", exhaust_memory, repeats=BEGUN, group="kill 4"),
    Row("term in turn", "SIGTERM of each program in turn", term_in_turn, group="kill 4", times=2),
    Row("freeze one", "one push worker frozen past its lease", freeze_one, repeats=BEGUN, group="freeze"),
    Row("freeze all", "all bulk workers frozen past their leases", frozen(*BULK), repeats=BEGUN, group="freeze"),
)
