"""What the stack's processes cost: CPU seconds of all of them, and the memory of the largest worker process."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

import psutil

EVERY = 0.2  #: seconds between two looks at the memory
MB = 1 << 20


class Meter:
    """`with Meter(site.roots, "worker:push.bulk") as meter:` what happens inside is counted.

    CPU includes PostgreSQL with its backends, the broker, web and scheduler; not the sink, and not the bench itself.
    Memory is that of processes that were there before: a worker keeps its own.
    """

    def __init__(self, roots: Mapping[str, Sequence[int]], *watched: str) -> None:
        self._roots = roots
        below = children()
        self._watched = [p for name in watched for pid in roots.get(name, ()) for p in tree(pid, below)]
        self._before: Counter[str] = Counter()
        self._leave = threading.Event()
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
        """Microseconds of each part, the dearest first."""
        dearest = sorted(self.cpu_by_part.items(), key=lambda part: -part[1])
        return {name: round(seconds * 1e6 / messages, 2) for name, seconds in dearest}

    def __enter__(self) -> Self:
        self._before = cpu(self._roots)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        after = cpu(self._roots)
        self.cpu_by_part = {name: max(0.0, after[name] - self._before[name]) for name in self._roots}
        self._leave.set()
        self._thread.join()
        self._look()

    def _watch(self) -> None:
        while not self._leave.wait(EVERY):
            self._look()

    def _look(self) -> None:
        for process in self._watched:
            with suppress(psutil.NoSuchProcess):
                self.peak_rss_mb = max(self.peak_rss_mb, process.memory_info().rss / MB)


def cpu(roots: Mapping[str, Sequence[int]]) -> Counter[str]:
    """CPU seconds of each part until now. What has ended and was waited for counts as its parent's."""
    below = children()
    return Counter({name: sum(_seconds(p) for pid in pids for p in tree(pid, below)) for name, pids in roots.items()})


def children() -> dict[int, list[psutil.Process]]:
    """Of every process of the machine, by one look: a look for each part takes longer than a small campaign."""
    found: dict[int, list[psutil.Process]] = {}
    for process in psutil.process_iter(["ppid"]):
        found.setdefault(process.info["ppid"], []).append(process)
    return found


def tree(pid: int, below: Mapping[int, Sequence[psutil.Process]]) -> list[psutil.Process]:
    """A process and all below it."""
    try:
        found = [psutil.Process(pid)]
    except psutil.NoSuchProcess:
        return []
    for process in found:
        found += below.get(process.pid, ())
    return found


def _seconds(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    # macOS does not tell of children
    return float(sum(getattr(times, name, 0.0) for name in ("user", "system", "children_user", "children_system")))
