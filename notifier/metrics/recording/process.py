"""Memory and processor time of this process, measured by a thread every few seconds."""

from __future__ import annotations

import os
import resource
import sys
import threading
import time
from pathlib import Path

from notifier.metrics.recording import directory, measures

#: seconds between two measurements: 30 µs of processor time each
EVERY_SECONDS = 5.0
_PAGE = os.sysconf("SC_PAGE_SIZE")
#: the process whose thread runs; a fork has no threads of its parent
_started: int = 0


def start(role: str) -> None:
    """Measure this process from now on, as one of `role`. Starts a thread, so never call it in a process that forks
    later: a fork that happens while the thread counts would wait for ever. Nothing without METRICS_DIR."""
    global _started
    if directory.folder_in_use() is None or _started == os.getpid():
        return
    _started = os.getpid()
    threading.Thread(target=_run, args=(role,), name="metrics", daemon=True).start()


def _run(role: str) -> None:
    measures.PROCESSES.labels(role).set(1)
    before = 0.0
    while True:
        used = time.process_time()
        measures.PROCESSOR.labels(role).inc(used - before)
        measures.MEMORY.labels(role).set(resident_bytes())
        before = used
        time.sleep(EVERY_SECONDS)


def resident_bytes() -> int:
    """Resident memory; where there is no /proc, the most that there was."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
