"""However a supervisor ends, its processes end; and one folder has one supervisor."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from notifier.local.processes import pids, watchdog
from notifier.local.processes.programs import PROJECT
from notifier.local.processes.watchdog import Busy
from notifier.local.stack import Stack

from .test_child import eventually


@contextmanager
def supervisor(folder: Path) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """Runs supervised.py; gives it and all process ids below it."""
    command = [sys.executable, "-m", "tests.local.supervised", str(folder)]
    running = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True)
    try:
        assert running.stdout is not None
        line = next(line for line in running.stdout if line.startswith("["))
        below = [child.pid for pid in json.loads(line) for child in psutil.Process(pid).children(recursive=True)]
        yield running, json.loads(line) + below
    finally:
        running.kill()
        running.wait()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_no_process_outlives_the_supervisor(tmp_path: Path, how: signal.Signals) -> None:
    with supervisor(tmp_path) as (running, started):
        assert len(started) > 6
        running.send_signal(how)
        assert eventually(lambda: not any(pids.started_at(pid) for pid in started), within=30)


def test_a_second_supervisor_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    with supervisor(tmp_path) as (running, _):
        with pytest.raises(Busy, match=str(running.pid)):
            Stack(tmp_path, test=True, environ={}).open()


def test_the_next_supervisor_waits_until_a_killed_ones_processes_are_gone(tmp_path: Path) -> None:
    with supervisor(tmp_path) as (running, started):
        os.kill(running.pid, signal.SIGKILL)
        running.wait()
        with Stack(tmp_path, test=True, environ={}) as stack:
            assert not any(pids.started_at(pid) for pid in started)
            assert stack.pid("postgres") is not None
    assert not watchdog.in_use(tmp_path)
