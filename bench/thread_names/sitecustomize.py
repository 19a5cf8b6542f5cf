"""Tells the kernel the name of each thread when it starts, so that /proc/<pid>/task/<tid>/comm has it. Python does this
itself from 3.14 on. Python imports this module at its start when the folder is on PYTHONPATH (BENCH_PROFILE=1)."""

from __future__ import annotations

import threading
from typing import Any

#: characters of a name that the kernel keeps
LENGTH = 15


def _name_threads() -> None:
    run: Any = threading.Thread._bootstrap_inner  # type: ignore[attr-defined]

    def run_named(thread: threading.Thread) -> None:
        try:
            with open("/proc/thread-self/comm", "w") as comm:
                comm.write(thread.name[:LENGTH])
        except OSError:
            pass  # not Linux
        run(thread)

    threading.Thread._bootstrap_inner = run_named  # type: ignore[attr-defined]


_name_threads()
