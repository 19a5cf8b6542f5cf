"""A process that has imported the product once, and forks programs: `python -m … fork_server PRELOAD`.

A fork shares the pages of what was imported before it: a Celery worker of its own start has 80 MB of private memory, a
forked one 20. It also starts in 0.2 s of processor time instead of 2.

Standard input: a JSON object a line for each program (`Order`). Standard output: `{"pid": n}` for each program, in
order, and `{"pid": n, "code": c}` when a program has ended. At the end of the input this process exits.
`notifier.local.processes.forking` is its client.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import runpy
import signal
import socket
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from typing import NamedTuple

#: the system cuts longer names of processes off
_COMM_LENGTH = 15


class Order(NamedTuple):
    """One program: `python -m <arguments>`, its environment, log, folder and `nice` value."""

    name: str
    arguments: Sequence[str]
    env: dict[str, str]
    log: str
    cwd: str
    nice: int


def serve(answers: int) -> Order | None:
    """Fork a child for each order. Returns None at the end of the input, and in each child the order of the child."""
    woken, wake = socket.socketpair()
    woken.setblocking(False)
    wake.setblocking(False)
    signal.set_wakeup_fd(wake.fileno())
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    buffer = b""
    with DefaultSelector() as selector:
        selector.register(0, EVENT_READ)
        selector.register(woken, EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is woken:
                    woken.recv(4096)
                    _report_ended(answers)
                    continue
                read = os.read(0, 1 << 16)
                if not read:
                    return None
                *lines, buffer = (buffer + read).split(b"\n")
                for line in lines:
                    order = Order(*json.loads(line))
                    if (pid := os.fork()) == 0:
                        signal.set_wakeup_fd(-1)
                        return order
                    _answer(answers, {"pid": pid})


def _report_ended(answers: int) -> None:
    with suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            _answer(answers, {"pid": ended[0], "code": os.waitstatus_to_exitcode(ended[1])})


def _answer(answers: int, answer: Mapping[str, int]) -> None:
    os.write(answers, json.dumps(answer).encode() + b"\n")


def become(order: Order) -> None:
    """In the child: run the program as if the system had started it, in a process group of its own."""
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.chdir(order.cwd)
    os.nice(order.nice)
    null, log = os.open(os.devnull, os.O_RDONLY), os.open(order.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(null, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.closerange(3, max(null, log) + 64)
    os.environ.clear()
    os.environ.update(order.env)
    with suppress(OSError):  # Linux only: `top` and `ps -o comm` then tell the programs apart
        Path("/proc/self/comm").write_text(order.name[:_COMM_LENGTH])
    gc.enable()
    module, *arguments = order.arguments
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def main(preload: str) -> None:
    answers = os.dup(1)
    os.dup2(2, 1)  # what the imported modules print must not be taken for an answer
    # without collections and with frozen objects, a collection in a child writes to no shared page
    gc.disable()
    importlib.import_module(preload).preload()
    assert threading.active_count() == 1, "a fork has only the thread that called it"
    gc.collect()
    gc.freeze()
    if order := serve(answers):
        os.close(answers)
        become(order)


if __name__ == "__main__":
    main(sys.argv[1])
