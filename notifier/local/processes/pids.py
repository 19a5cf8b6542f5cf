"""What the system knows about a process: is it the same one, is its group still alive.

A bare `os.kill(pid, 0)` says "alive" for a zombie that PID 1 of a container never reaps, and for another process that
got the same number later; so a process is known by its start time, and a zombie counts as gone.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

PROC = Path("/proc")


def started_at(pid: int) -> str | None:
    """A text that only this process has; None when it is gone or a zombie."""
    if PROC.joinpath("self/stat").exists():
        stat = _stat(pid)
        return None if stat is None or stat[0] in "ZX" else stat[19]
    shown = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True)
    state, _, start = shown.stdout.strip().partition(" ")
    return None if not state or state.startswith("Z") else start.strip()


def group_alive(group: int) -> bool:
    """Whether any process of the group still runs."""
    if not PROC.joinpath("self/stat").exists():
        return _reachable(group)
    stats = (_stat(int(entry.name)) for entry in PROC.iterdir() if entry.name.isdigit())
    return any(stat is not None and stat[2] == str(group) and stat[0] not in "ZX" for stat in stats)


def signal_group(group: int, number: int) -> None:
    """To every process of the group; a group that is gone is no error."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return
    except PermissionError:
        # macOS answers so when only zombies are left
        return


def kill_group(group: int, patience: float = 5.0) -> None:
    """SIGKILL, and wait until the group is gone."""
    signal_group(group, signal.SIGKILL)
    wait_gone([group], patience)


def wait_gone(groups: list[int], patience: float) -> list[int]:
    """The groups that are still alive after that many seconds."""
    end = time.monotonic() + patience
    alive = [group for group in groups if group_alive(group)]
    while alive and time.monotonic() < end:
        time.sleep(0.02)
        alive = [group for group in alive if group_alive(group)]
    return alive


def _reachable(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat after the name: [0] state, [2] group, [19] start time in clock ticks."""
    try:
        text = PROC.joinpath(str(pid), "stat").read_text(errors="replace")
    except OSError:
        return None
    return text.rpartition(")")[2].split()
