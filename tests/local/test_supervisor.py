"""However a supervisor ends, its processes end too. One folder has one supervisor."""

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
from notifier.local.processes.watchdog import FolderInUse
from notifier.local.stack import Stack

from .test_child import eventually


@contextmanager
def supervisor(folder: Path) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """Run supervised.py. Yields it and the ids of all processes that it has started."""
    command = [sys.executable, "-m", "tests.local.supervised", str(folder)]
    running = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True)
    try:
        assert running.stdout is not None
        line = next(line for line in running.stdout if line.startswith("["))
        descendants = [child.pid for pid in json.loads(line) for child in psutil.Process(pid).children(recursive=True)]
        yield running, json.loads(line) + descendants
    finally:
        running.kill()
        running.wait()


@pytest.mark.parametrize("signal_", [signal.SIGKILL, signal.SIGINT])
def test_no_process_outlives_the_supervisor(tmp_path: Path, signal_: signal.Signals) -> None:
    with supervisor(tmp_path) as (running, started):
        assert len(started) > 6
        running.send_signal(signal_)
        assert eventually(lambda: not any(pids.started_at(pid) for pid in started), within=30)


def test_a_second_supervisor_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    with supervisor(tmp_path) as (running, _):
        with pytest.raises(FolderInUse, match=str(running.pid)):
            Stack(tmp_path, test=True, environ={}).open()


def test_the_next_supervisor_waits_until_the_processes_of_a_killed_one_have_ended(tmp_path: Path) -> None:
    with supervisor(tmp_path) as (running, started):
        os.kill(running.pid, signal.SIGKILL)
        running.wait()
        with Stack(tmp_path, test=True, environ={}) as stack:
            assert not any(pids.started_at(pid) for pid in started)
            assert stack.pid("postgres") is not None
    assert not watchdog.in_use(tmp_path)
