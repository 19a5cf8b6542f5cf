"""A watcher that outlives a killed supervisor and ends what it left:
`python -m notifier.local.processes.watchdog FOLDER`.

It holds the reading end of a pipe whose only writing end is the supervisor's. However the supervisor ends, even by
kill -9, the pipe closes. This works the same on Linux and macOS; Linux' PR_SET_PDEATHSIG would fire when the *thread*
that started a child ends, and is lost when the child changes its user.
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


class Busy(Exception):
    """Another supervisor works in this folder."""


class Watchdog:
    """Held by the supervisor while it has children. The folder's lock is shared with the watcher, so that
    the next supervisor waits until a killed one's children have been ended."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = folder.joinpath("lock").open("a+")
        self._take_lock()
        self._watcher = subprocess.Popen(
            [sys.executable, "-m", "notifier.local.processes.watchdog", str(folder)],
            stdin=subprocess.PIPE,
            cwd=Path(__file__).resolve().parents[3],
            pass_fds=[self._lock.fileno()],
            start_new_session=True,
        )

    def _take_lock(self) -> None:
        while not _locked(self._lock):
            holder = _holder(self._lock)
            if holder is not None:
                self._lock.close()
                raise Busy(f"already running here (process {holder})")
            # the watcher of a killed supervisor is still cleaning up
            time.sleep(0.1)
        self._lock.truncate(0)
        self._lock.write(f"{os.getpid()} {pids.started_at(os.getpid())}")
        self._lock.flush()

    def release(self) -> None:
        """After an ordered stop: the watcher finds nothing left to end, and goes."""
        if self._watcher.stdin is not None:
            self._watcher.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._watcher.wait(60)
        self._lock.close()


def in_use(folder: Path) -> bool:
    """Whether a supervisor, or a watcher still cleaning up after one, holds the folder."""
    if not folder.joinpath("lock").exists():
        return False
    with folder.joinpath("lock").open("a+") as lock:
        return not _locked(lock)


def _locked(lock: IO[str]) -> bool:
    """Take the lock if it is free."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(lock: IO[str]) -> int | None:
    """The process that last took the lock, if it still runs."""
    lock.seek(0)
    number, _, start = lock.read().partition(" ")
    return int(number) if number.isdigit() and pids.started_at(int(number)) == start else None


def main() -> None:
    sys.stdin.buffer.read()
    records.sweep(Path(sys.argv[1]))


if __name__ == "__main__":
    main()
