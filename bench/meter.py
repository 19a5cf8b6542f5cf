"""The cost of the stack's processes: CPU seconds of all, and the memory of the largest worker process."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

import psutil

SAMPLE_SECONDS = 0.2  #: between two samples of memory
MB = 1 << 20


class Meter:
    """`with Meter(site.pids_by_part, "worker:push.bulk") as meter:` measures the block.

    CPU includes PostgreSQL with its backends, the broker, web and scheduler, but neither the sink nor the bench itself.
    Memory counts processes that ran before the block: a worker's processes stay.
    """

    def __init__(self, pids_by_part: Mapping[str, Sequence[int]], *memory_of: str) -> None:
        self._pids_by_part = pids_by_part
        children = children_by_pid()
        self._watched = [
            p for name in memory_of for pid in pids_by_part.get(name, ()) for p in process_tree(pid, children)
        ]
        self._before: Counter[str] = Counter()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.cpu_by_part: dict[str, float] = {}
        self.peak_rss_mb = 0.0

    @property
    def cpu_seconds(self) -> float:
        return sum(self.cpu_by_part.values())

    def per_message(self, messages: int) -> float:
        """Microseconds."""
        return self.cpu_seconds * 1e6 / messages

    def parts_per_message(self, messages: int) -> dict[str, float]:
        """Microseconds of each part, the most expensive first."""
        by_cost = sorted(self.cpu_by_part.items(), key=lambda part: -part[1])
        return {name: round(seconds * 1e6 / messages, 2) for name, seconds in by_cost}

    def __enter__(self) -> Self:
        self._before = cpu_seconds_by_part(self._pids_by_part)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        after = cpu_seconds_by_part(self._pids_by_part)
        self.cpu_by_part = {name: max(0.0, after[name] - self._before[name]) for name in self._pids_by_part}
        self._stopping.set()
        self._thread.join()
        self._sample()

    def _watch(self) -> None:
        while not self._stopping.wait(SAMPLE_SECONDS):
            self._sample()

    def _sample(self) -> None:
        for process in self._watched:
            with suppress(psutil.NoSuchProcess):
                self.peak_rss_mb = max(self.peak_rss_mb, process.memory_info().rss / MB)


def cpu_seconds_by_part(pids_by_part: Mapping[str, Sequence[int]]) -> Counter[str]:
    """CPU seconds of each part until now. A process that ended and was waited for counts for its parent."""
    children = children_by_pid()
    return Counter(
        {
            name: sum(_seconds(p) for pid in pids for p in process_tree(pid, children))
            for name, pids in pids_by_part.items()
        }
    )


def children_by_pid() -> dict[int, list[psutil.Process]]:
    """The children of every process of the machine, from one scan: a scan a part takes longer than a small campaign."""
    children: dict[int, list[psutil.Process]] = {}
    for process in psutil.process_iter(["ppid"]):
        children.setdefault(process.info["ppid"], []).append(process)
    return children


def process_tree(pid: int, children: Mapping[int, Sequence[psutil.Process]]) -> list[psutil.Process]:
    """A process and all its descendants."""
    try:
        processes = [psutil.Process(pid)]
    except psutil.NoSuchProcess:
        return []
    for process in processes:
        processes += children.get(process.pid, ())
    return processes


def _seconds(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    # macOS does not report children
    return float(sum(getattr(times, name, 0.0) for name in ("user", "system", "children_user", "children_system")))
