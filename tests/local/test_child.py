"""One supervised process: readiness, crash, restart, stop, kill."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from notifier.local.console import say_nothing
from notifier.local.processes import pids, records
from notifier.local.processes.child import Child, ProcessFailed, Program
from notifier.local.processes.ready import log_says

Start = Callable[..., Child]

# ready is the whole line: Python writes the line and its end apart where PYTHONUNBUFFERED is set
FOREVER = "import time; print('hello', flush=True); time.sleep(600)"
HELLO = log_says(r"hello\n")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a line of Python as a supervised program."""
    children = []

    def _start(code: str, **options: object) -> Child:
        program = Program(
            **{  # type: ignore[arg-type]
                "name": "dummy",
                "argv": (sys.executable, "-c", code),
                "env": os.environ,
                "cwd": tmp_path,
                "ready": HELLO,
                **options,
            }
        )
        children.append(Child(program, tmp_path, say_nothing))
        children[-1].start()
        return children[-1]

    yield _start
    for child in children:
        child.kill()


def eventually(condition: Callable[[], bool], within: float = 60.0) -> bool:
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


def test_start_returns_when_it_is_ready_and_its_output_is_in_its_log(start: Start) -> None:
    child = start(FOREVER)
    assert child.pid is not None
    assert child.log.read_text() == "hello\n"


def test_a_process_that_ends_before_it_is_ready_fails_with_the_end_of_its_log(start: Start) -> None:
    with pytest.raises(ProcessFailed, match="no such setting"):
        start("raise SystemExit('no such setting')")


def test_a_process_that_is_never_ready_fails_and_is_ended(start: Start, tmp_path: Path) -> None:
    with pytest.raises(ProcessFailed, match="not ready within"):
        start(FOREVER, ready=log_says("never written"), timeout=0.3)
    assert records.sweep(tmp_path) == 0


def test_a_crashed_process_is_restarted(start: Start) -> None:
    child = start(FOREVER)
    first = child.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    assert eventually(lambda: child.pid not in (None, first))
    assert child.restarts == 1


def test_the_children_of_a_crashed_process_are_ended(start: Start) -> None:
    forks = "import os, time; os.write(1, b'%d\\n' % os.fork()); time.sleep(600)"
    child = start(forks, ready=log_says(r"0\n"))
    assert eventually(lambda: len(child.log.read_text().split()) == 2)
    forked = max(int(line) for line in child.log.read_text().split())
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)
    assert eventually(lambda: pids.started_at(forked) is None)


def test_a_killed_process_stays_down_until_started(start: Start) -> None:
    child = start(FOREVER)
    child.kill()
    assert child.pid is None
    assert child.restarts == 0


def test_a_process_that_ignores_term_is_killed_after_its_grace_period(start: Start) -> None:
    ignore_term = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    child = start(ignore_term + FOREVER, grace=0.2)
    child.stop()
    assert child.pid is None


def test_stop_waits_for_a_process_that_cleans_up(start: Start) -> None:
    clean_up = "import signal, sys; signal.signal(signal.SIGTERM, lambda *a: (print('bye', flush=True), sys.exit())); "
    child = start(clean_up + FOREVER)
    child.stop()
    assert child.log.read_text() == "hello\nbye\n"


def test_a_recorded_pid_that_another_process_has_now_is_not_signalled(tmp_path: Path) -> None:
    records.write(tmp_path, "old", records.Record(os.getpid(), "long before"))
    assert records.sweep(tmp_path) == 0
