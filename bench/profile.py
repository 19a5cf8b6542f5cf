"""CPU of each part of a run by process and by thread, from the kernel's counters (/proc, so on Linux only).

A sampling profiler that asks for the GIL favours threads that were preempted while they held it. The kernel's counters
do not. `BENCH_PROFILE=1` turns the profile on; the file is `profile.txt` beside latest.json.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from bench.markdown import table
from bench.meter import children_by_pid, process_tree

#: on PYTHONPATH, this folder makes Python tell the kernel the names of its threads
NAMES_THREADS = Path(__file__).parent / "thread_names"
#: a process, or a thread of it, that has used less is not shown
SHOWN_SECONDS = 0.02
#: threads that ended within the part, and children that were waited for
ENDED = "(ended)"

_TICK = os.sysconf("SC_CLK_TCK")
_NUMBER = re.compile(r"[-_ ]?\d+$")
#: the title of a backend: its user, and the database and the address that follow
_BACKEND = re.compile(r"^postgres: (?P<user>\w+) \w+ [\d.:]+\(\d+\).*|^postgres: (?P<worker>[\w ]+).*")


@dataclass(frozen=True)
class Clock:
    """CPU seconds of one process until now, with those of its ended threads and children."""

    title: str
    seconds: float
    threads: Mapping[int, tuple[str, float]]  #: thread id -> name, CPU seconds


#: (part of the stack, process id) -> its clock
Clocks = Mapping[tuple[str, int], Clock]


@dataclass(frozen=True)
class Row:
    part: str
    process: str
    thread: str


@dataclass
class Profile:
    """`with profile.part("bulk", site.pids_by_part):` measures the block; blocks of one name are added up."""

    parts: dict[str, Counter[Row]] = field(default_factory=dict)

    @contextmanager
    def part(self, name: str, pids_by_part: Mapping[str, Sequence[int]]) -> Iterator[None]:
        before = read_clocks(pids_by_part)
        yield
        self.parts.setdefault(name, Counter()).update(differences(before, read_clocks(pids_by_part)))

    def page(self) -> str:
        lines = ["# CPU seconds by process and thread"]
        for name, rows in self.parts.items():
            lines += [f"\n## {name}: {rows.total():.2f} s\n"]
            lines += table(("part", "process", "thread", "CPU s"), shown(rows))
        return "\n".join(lines) + "\n"


def read_clocks(pids_by_part: Mapping[str, Sequence[int]]) -> Clocks:
    children = children_by_pid()
    clocks: dict[tuple[str, int], Clock] = {}
    for part, pids in pids_by_part.items():
        for pid in pids:
            for process in process_tree(pid, children):
                with suppress(FileNotFoundError, ProcessLookupError, psutil.NoSuchProcess):
                    title = title_of(process.cmdline(), is_main=process.pid == pid)
                    clocks[part, process.pid] = _read_clock(process.pid, title)
    return clocks


def differences(before: Clocks, after: Clocks) -> Counter[Row]:
    """CPU seconds between the two readings. Processes of one part and title are one row, as are threads whose names
    differ by a number only."""
    rows: Counter[Row] = Counter()
    for (part, pid), clock in after.items():
        old = before.get((part, pid), Clock("", 0.0, {}))
        ended = clock.seconds - old.seconds
        for thread, (name, seconds) in clock.threads.items():
            used = seconds - old.threads.get(thread, ("", 0.0))[1]
            rows[Row(part, clock.title, _NUMBER.sub("", name))] += used  # type: ignore[assignment]
            ended -= used
        rows[Row(part, clock.title, ENDED)] += max(0.0, ended)  # type: ignore[assignment]
    return rows


def shown(rows: Counter[Row]) -> Iterable[tuple[str, ...]]:
    """The most expensive first, of the most expensive process first."""
    processes: Counter[tuple[str, str]] = Counter()
    for row, seconds in rows.items():
        processes[row.part, row.process] += seconds
    for (part, process), total in processes.most_common():
        if total < SHOWN_SECONDS:
            return
        yield part, process, "all", f"{total:.2f}"
        threads = Counter({row.thread: s for row, s in rows.items() if (row.part, row.process) == (part, process)})
        yield from (
            ("", "", name, f"{seconds:.2f}") for name, seconds in threads.most_common() if seconds >= SHOWN_SECONDS
        )


def title_of(command: Sequence[str], *, is_main: bool) -> str:
    """What a process is within its part: a backend of PostgreSQL by its user or its job, `main`, or `child`."""
    if backend := _BACKEND.match(" ".join(command)):
        return f"{backend['user'] or backend['worker'].strip()}"
    return "main" if is_main else "child"


def _read_clock(pid: int, title: str) -> Clock:
    folder = Path("/proc") / str(pid)
    threads = {}
    for task in folder.joinpath("task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):  # the thread has ended
            fields = _stat_fields(task / "stat")
            threads[int(task.name)] = ((task / "comm").read_text().strip(), sum(fields[:2]) / _TICK)
    return Clock(title, sum(_stat_fields(folder / "stat")) / _TICK, threads)


def _stat_fields(file: Path) -> list[int]:
    """utime, stime, cutime and cstime, in ticks: the fields 14 to 17. The name before them may hold spaces."""
    return [int(value) for value in file.read_text().rpartition(")")[2].split()[11:15]]
