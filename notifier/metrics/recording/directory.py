"""The directory in which the processes of a machine keep what they measure (METRICS_DIR), in prometheus-client's files.

A process has a file for each kind of metric, and holds a lock on `<its name>.alive` for as long as it lives. The kernel
ends the lock with the process, also after kill -9. Who looks at the directory (a scrape, a process that starts) adds
the counts of processes that ended to the files named `ended`, so that no counter falls, and deletes their files.

Without METRICS_DIR a process keeps its values in its own memory.
"""

from __future__ import annotations

import fcntl
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from prometheus_client import Metric, values
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector

#: of the files with the counts of all processes that ended
ENDED = "ended"
#: kinds of files whose values are added; of `gauge_max` the largest stays; those of `gauge_live…` go with their process
_ADDED, _LARGEST = ("counter", "histogram"), "gauge_max"

#: (process id, name, the open file whose lock says that the process lives)
_own: tuple[int, str, int] = (0, "", -1)
_one_at_a_time = threading.RLock()


class _LateValue:
    """A value whose file is opened by the first count: the process that imports the product and forks workers (the fork
    server) has no METRICS_DIR, and must have no file open, because its forks close every file that they did not
    open."""

    _multiprocess = True

    def __init__(self, *parameters: Any, **more: Any) -> None:
        self._parameters, self._more = parameters, more
        self._value: Any = None

    def _opened(self) -> Any:
        with _one_at_a_time:
            if self._value is None:
                self._value = _class_of_values()(*self._parameters, **self._more)
        return self._value

    def inc(self, amount: float) -> None:
        (self._value or self._opened()).inc(amount)

    def set(self, value: float, timestamp: float | None = None) -> None:
        (self._value or self._opened()).set(value, timestamp)

    def get(self) -> float:
        return float((self._value or self._opened()).get())

    def set_exemplar(self, exemplar: object) -> None:
        """prometheus-client has no exemplars in files."""

    def get_exemplar(self) -> None:
        """None."""


#: called by every metric of this process from now on
values.ValueClass = _LateValue


@cache
def _class_of_values() -> Any:
    folder = folder_in_use()
    if folder is None:
        return values.MutexValue
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
    return values.MultiProcessValue(name_of_process)  # type: ignore[no-untyped-call]


def folder_in_use() -> Path | None:
    """The folder; None when the process keeps its values to itself."""
    folder = os.environ.get("METRICS_DIR", "")
    return Path(folder).resolve() if folder else None


def name_of_process() -> str:
    """The name of this process in its files. 0.1 µs; a forked process takes a name of its own at its first call."""
    return _own[1] if _own[0] == os.getpid() else _take_name()


def _take_name() -> str:
    global _own
    folder = folder_in_use()
    assert folder is not None
    # containers that share the folder have the same process ids, and different host names
    name = f"{socket.gethostname().replace('_', '-')}-{os.getpid()}"
    with _locked(folder):
        _add_ended(folder, own=name)
        alive = os.open(folder / f"{name}.alive", os.O_RDWR | os.O_CREAT, 0o644)
        fcntl.lockf(alive, fcntl.LOCK_EX)
    _own = (os.getpid(), name, alive)
    return name


def read(folder: Path) -> list[Metric]:
    """The metrics of all processes that use the folder, and the counts of those that ended. Names of other libraries
    that count in these processes are left out."""
    with _locked(folder):
        _add_ended(folder, own=_own[1])
        files = [str(path) for path in sorted(folder.glob("*.db"))]
        merged = MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call]
        return sorted((m for m in merged if m.name.startswith("notifier_")), key=lambda metric: metric.name)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One thread of one process at a time."""
    with _one_at_a_time, folder.joinpath("lock").open("a") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        yield


# ---- processes that ended ----------------------------------------------------------------------------------------


def _add_ended(folder: Path, own: str) -> None:
    """Add the counts of processes that ended to those of the others before them. A crash in between counts a process
    twice or not at all, which a rate over time shows as one wrong point."""
    for alive in folder.glob("*.alive"):
        # a lock of this process would end when a second handle of its file is closed
        if alive.stem != own and _has_ended(alive):
            for path in folder.glob(f"*_{alive.stem}.db"):
                _add_file(folder, path, path.name.removesuffix(f"_{alive.stem}.db"))
            alive.unlink()


def _has_ended(alive: Path) -> bool:
    with alive.open("r+b") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True


def _add_file(folder: Path, path: Path, kind: str) -> None:
    if kind in _ADDED or kind == _LARGEST:
        try:
            rows = list(MmapedDict.read_all_values_from_file(str(path)))  # type: ignore[no-untyped-call]
        except (RuntimeError, ValueError, OSError):
            rows = []  # the process was killed while it wrote its first values
        ended: Any = MmapedDict(str(folder / f"{kind}_{ENDED}.db"))  # type: ignore[no-untyped-call]
        for key, value, timestamp, _ in rows:
            before, _ = ended.read_value(key)
            ended.write_value(key, before + value if kind in _ADDED else max(before, value), timestamp)
        ended.close()
    path.unlink()
