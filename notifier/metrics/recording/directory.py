"""The directory in which the processes of a machine keep what they measure (METRICS_DIR), in prometheus-client's files.

A process has a file for each kind of metric, and holds a lock on `<its name>.alive` for as long as it lives. The kernel
ends the lock with the process, also after kill -9. Who looks at the directory (a scrape, a process that starts) adds
the counts of processes that ended to the files named `ended`, so that no counter falls, and deletes their files.

Without METRICS_DIR a process keeps its values in its own memory; so it does when the folder cannot be used. Measuring
stops no work: no count raises, whatever becomes of the folder, and none waits for another process for long.
"""

from __future__ import annotations

import fcntl
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import structlog
from prometheus_client import Metric, values
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector

log = structlog.get_logger("notifier.metrics")

#: of the files with the counts of all processes that ended
ENDED = "ended"
#: kinds of files whose values are added; of `gauge_max` (moments) the latest stays; those of `gauge_live…` go with
#: their process
_ADDED, _LATEST = ("counter", "histogram"), "gauge_max"
#: seconds for which a scrape waits for the folder while another process uses it, and a process that takes its name: the
#: first count may be on the event loop
SCRAPE_SECONDS, NAME_SECONDS = 1.0, 0.2
_TRY_AGAIN_SECONDS = 0.02

#: (process id, name, the open file whose lock says that the process lives)
_own: tuple[int, str, int] = (0, "", -1)
#: whether this process has given the folder up: from then on it keeps its values to itself
_gave_up = False
#: the process that has logged why
_said_by = 0
_making = threading.RLock()
_one_at_a_time = threading.Lock()


class _LateValue:
    """A value whose file is opened by the first count: the process that imports the product and forks workers (the fork
    server) has no METRICS_DIR, and must have no file open, because its forks close every file that they did not
    open."""

    _multiprocess = True

    def __init__(self, *parameters: Any, **more: Any) -> None:
        self._parameters, self._more = parameters, more
        self._value: Any = None

    def _opened(self) -> Any:
        with _making:
            if self._value is None:
                self._value = _class_of_values()(*self._parameters, **self._more)
        return self._value

    def inc(self, amount: float) -> None:
        try:
            (self._value or self._opened()).inc(amount)
        except Exception as error:
            self._in_memory(error).inc(amount)

    def set(self, value: float, timestamp: float | None = None) -> None:
        try:
            (self._value or self._opened()).set(value, timestamp)
        except Exception as error:
            self._in_memory(error).set(value, timestamp)

    def get(self) -> float:
        try:
            return float((self._value or self._opened()).get())
        except Exception as error:
            return float(self._in_memory(error).get())

    def _in_memory(self, error: Exception) -> Any:
        """From now on, after an error of the file: of the system, or what prometheus-client makes of a file that it
        could not open again after a fork."""
        _say_once(error)
        self._value = values.MutexValue(*self._parameters, **self._more)  # type: ignore[no-untyped-call]
        return self._value

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
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return values.MultiProcessValue(name_of_process)  # type: ignore[no-untyped-call]
    except OSError as error:
        _give_up(error)
        return values.MutexValue


def folder_in_use() -> Path | None:
    """The folder; None when the process keeps its values to itself."""
    folder = os.environ.get("METRICS_DIR", "")
    return Path(folder).resolve() if folder and not _gave_up else None


def gave_up() -> bool:
    """Whether this process could not use the folder, and keeps its values to itself for that reason."""
    return _gave_up


def _give_up(error: Exception) -> None:
    global _gave_up
    _gave_up = True
    _say_once(error)


def _say_once(error: Exception) -> None:
    global _said_by
    if _said_by != os.getpid():
        _said_by = os.getpid()
        why = str(error)[:200]
        log.warning("metrics are kept in memory", action="metrics", error=type(error).__name__, why=why)


def name_of_process() -> str:
    """The name of this process in its files. 0.1 µs; a forked process takes a name of its own at its first call.
    Raises OSError."""
    return _own[1] if _own[0] == os.getpid() else _take_name()


def _take_name() -> str:
    global _own
    folder = folder_in_use()
    if folder is None:
        raise OSError("METRICS_DIR cannot be used")
    # containers that share the folder have the same process ids, and different host names
    name = f"{socket.gethostname().replace('_', '-')}-{os.getpid()}"
    try:
        with _locked(folder, NAME_SECONDS):
            _add_ended(folder, own=name)
    except OSError as error:
        # a later scrape or start adds them
        log.warning("ended processes not counted", action="metrics", error=type(error).__name__, why=str(error)[:200])
    try:
        _own = (os.getpid(), name, _open_alive(folder, name))
    except OSError as error:
        _give_up(error)
        raise
    return name


def _open_alive(folder: Path, name: str) -> int:
    """The file `<name>.alive`, which gets its name when it is locked: no process sees it without the lock."""
    unnamed = folder / f"{name}.new"
    alive = os.open(unnamed, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.lockf(alive, fcntl.LOCK_EX | fcntl.LOCK_NB)
        unnamed.rename(folder / f"{name}.alive")
    except OSError:
        os.close(alive)
        raise
    return alive


def read(folder: Path) -> list[Metric]:
    """The metrics of all processes that use the folder, and the counts of those that ended. Names of other libraries
    that count in these processes are left out. Raises OSError, such as TimeoutError while another process uses the
    folder."""
    with _locked(folder, SCRAPE_SECONDS):
        _add_ended(folder, own=_own[1])
        files = [str(path) for path in sorted(folder.glob("*.db"))]
        merged = MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call]
        return sorted((m for m in merged if m.name.startswith("notifier_")), key=lambda metric: metric.name)


@contextmanager
def _locked(folder: Path, seconds: float) -> Iterator[None]:
    """One thread of one process at a time. Raises TimeoutError when it takes longer than `seconds` to get there."""
    until = time.monotonic() + seconds
    if not _one_at_a_time.acquire(timeout=seconds):
        raise TimeoutError(f"another thread uses {folder}")
    try:
        with folder.joinpath("lock").open("a") as lock:
            while not _has_locked(lock.fileno()):
                if time.monotonic() >= until:
                    raise TimeoutError(f"another process uses {folder}")
                time.sleep(_TRY_AGAIN_SECONDS)
            yield
    finally:
        _one_at_a_time.release()


def _has_locked(file: int) -> bool:
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


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
        return _has_locked(file.fileno())


def _add_file(folder: Path, path: Path, kind: str) -> None:
    if kind in _ADDED or kind == _LATEST:
        try:
            rows = list(MmapedDict.read_all_values_from_file(str(path)))  # type: ignore[no-untyped-call]
        except (RuntimeError, ValueError, OSError):
            rows = []  # the process was killed while it wrote its first values
        ended: Any = MmapedDict(str(folder / f"{kind}_{ENDED}.db"))  # type: ignore[no-untyped-call]
        for key, value, timestamp, _ in rows:
            before, _ = ended.read_value(key)
            ended.write_value(key, before + value if kind in _ADDED else _latest(before, value), timestamp)
        ended.close()
    path.unlink()


def _latest(*moments: float) -> float:
    """The latest; one that is still to come was written by a clock that ran ahead, and would hide for as long that
    nothing happens any more."""
    return min(max(moments), time.time())
