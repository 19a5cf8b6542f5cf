"""What the system knows about a process: whether it is the same process, and whether its group is still alive.

A bare `os.kill(pid, 0)` succeeds for a zombie that PID 1 of a container never reaps, and for another process that got
the same number later. So a process is identified by its start time, and a zombie counts as ended.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

PROC = Path("/proc")


def started_at(pid: int) -> str | None:
    """When the process started, as the system writes it; None if the process has ended or is a zombie."""
    if PROC.joinpath("self/stat").exists():
        stat = _stat(pid)
        return None if stat is None or stat[0] in "ZX" else stat[19]
    output = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True)
    state, _, start = output.stdout.strip().partition(" ")
    return None if not state or state.startswith("Z") else start.strip()


def group_alive(group: int) -> bool:
    """Whether a process of the group still runs."""
    if not PROC.joinpath("self/stat").exists():
        return _reachable(group)
    stats = (_stat(int(entry.name)) for entry in PROC.iterdir() if entry.name.isdigit())
    return any(stat is not None and stat[2] == str(group) and stat[0] not in "ZX" for stat in stats)


def signal_group(group: int, number: int) -> None:
    """Send a signal to every process of the group. A group that has ended is no error."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return
    except PermissionError:
        # macOS raises this if only zombies are left
        return


def kill_group(group: int, timeout: float = 5.0) -> None:
    """Send SIGKILL, and wait until the group has ended."""
    signal_group(group, signal.SIGKILL)
    wait_until_gone([group], timeout)


def wait_until_gone(groups: list[int], timeout: float) -> list[int]:
    """Wait at most `timeout` seconds. Returns the groups that are still alive."""
    deadline = time.monotonic() + timeout
    alive = [group for group in groups if group_alive(group)]
    while alive and time.monotonic() < deadline:
        time.sleep(0.02)
        alive = [group for group in alive if group_alive(group)]
    return alive


def tree_memory_mb(root: int) -> int | None:
    """The memory of a process with all its descendants, in MB (PSS: pages that several processes share count once);
    None where the system does not tell, as on macOS."""
    if not PROC.joinpath("self/smaps_rollup").exists():
        return None
    parents = {int(entry.name): _stat(int(entry.name)) for entry in PROC.iterdir() if entry.name.isdigit()}
    tree, added = {root}, {root}
    while added:
        added = {pid for pid, stat in parents.items() if stat is not None and int(stat[1]) in added} - tree
        tree |= added
    return sum(_pss_kb(pid) for pid in tree) // 1024


def _pss_kb(pid: int) -> int:
    try:
        lines = PROC.joinpath(str(pid), "smaps_rollup").read_text().splitlines()
    except OSError:  # it has ended meanwhile
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def _reachable(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat after the name: [0] state, [1] parent, [2] group, [19] start time in clock ticks."""
    try:
        text = PROC.joinpath(str(pid), "stat").read_text(errors="replace")
    except OSError:
        return None
    return text.rpartition(")")[2].split()
