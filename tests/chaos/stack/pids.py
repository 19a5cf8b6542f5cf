"""What rows do to processes besides ending them: freeze, limit, look at their children and their memory."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Iterable
from pathlib import Path

from notifier.local.processes import pids

_PAGE = os.sysconf("SC_PAGE_SIZE")


def freeze(groups: Iterable[int]) -> None:
    for group in groups:
        pids.signal_group(group, signal.SIGSTOP)


def thaw(groups: Iterable[int]) -> None:
    for group in groups:
        pids.signal_group(group, signal.SIGCONT)


def children(pid: int) -> list[int]:
    """The processes that this process has forked."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return sorted(int(child) for task in tasks for child in task.read_text().split())


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def limit_memory(pid: int, more_bytes: int) -> None:
    """Let the process have so many more bytes of address space than now: the next large allocation fails."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[0])
    _, most = resource.prlimit(pid, resource.RLIMIT_AS)
    resource.prlimit(pid, resource.RLIMIT_AS, (pages * _PAGE + more_bytes, most))


def resident_mb(pid: int) -> float:
    """0 when the process has ended."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE / 1e6
    except OSError:
        return 0.0
