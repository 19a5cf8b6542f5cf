"""A watchdog process that outlives a killed supervisor and ends the processes that the supervisor left:
`python -m notifier.local.processes.watchdog FOLDER`.

The watchdog process holds the reading end of a pipe whose only writing end the supervisor has. However the supervisor
ends, even by kill -9, the pipe closes. This works the same on Linux and macOS; Linux' PR_SET_PDEATHSIG would fire when
the *thread* that started a child ends, and is lost when the child changes its user.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

from notifier.local.processes import pids, records


class FolderInUse(Exception):
    """Another supervisor uses this folder."""


class Watchdog:
    """The supervisor keeps this object while it has children. The watchdog process shares the folder's lock, so the
    next supervisor waits until the children of a killed one have been ended."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = folder.joinpath("lock").open("a+")
        self._take_lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "notifier.local.processes.watchdog", str(folder)],
            stdin=subprocess.PIPE,
            cwd=Path(__file__).resolve().parents[3],
            pass_fds=[self._lock.fileno()],
            start_new_session=True,
        )

    def _take_lock(self) -> None:
        while not _try_lock(self._lock):
            holder = _running_holder(self._lock)
            if holder is not None:
                self._lock.close()
                raise FolderInUse(f"already running here (process {holder})")
            # the watchdog process of a killed supervisor is still ending its children
            time.sleep(0.1)
        self._lock.truncate(0)
        self._lock.write(f"{os.getpid()} {pids.started_at(os.getpid())}")
        self._lock.flush()

    def release(self) -> None:
        """Call after all children have stopped: the watchdog process then has nothing to end, and exits."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(60)
        self._lock.close()


def in_use(folder: Path) -> bool:
    """Whether a supervisor holds the folder, or a watchdog process that still ends the children of a killed one."""
    if not folder.joinpath("lock").exists():
        return False
    with folder.joinpath("lock").open("a+") as lock:
        return not _try_lock(lock)


def _try_lock(lock: IO[str]) -> bool:
    """Take the lock. False if another process has it."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _running_holder(lock: IO[str]) -> int | None:
    """The id of the process that last took the lock; None if it has ended."""
    lock.seek(0)
    number, _, start = lock.read().partition(" ")
    return int(number) if number.isdigit() and pids.started_at(int(number)) == start else None


def main() -> None:
    sys.stdin.buffer.read()
    records.sweep(Path(sys.argv[1]))


if __name__ == "__main__":
    main()
