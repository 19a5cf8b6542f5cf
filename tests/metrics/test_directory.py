"""The folder in which processes keep what they measure: counts outlive their process, gauges end with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from prometheus_client import Metric

from notifier.local.processes.programs import PROJECT
from notifier.metrics.recording import directory

#: counts, then waits for the end of its input
COUNTER = """
import sys
from notifier.metrics.recording import measures
measures.count(measures.ACCEPTED, 3, "push")
measures.observe(measures.SETTLE_SECONDS, 0.004)
measures.SLOTS.labels("push").set(2)
measures.TASK_SUCCESS.labels("notifier.sweep").set(float(sys.argv[1]))
print("counted", flush=True)
sys.stdin.read()
"""


#: counts while the folder cannot be used, or the file of its counters, and says what it counted
CUT_OFF = """
import os, socket, sys
from pathlib import Path
from notifier.metrics.recording import directory, measures, process
if sys.argv[1] == "file":
    name = f"{socket.gethostname().replace('_', '-')}-{os.getpid()}"
    Path(os.environ["METRICS_DIR"], f"counter_{name}.db").mkdir()
process.start("web")
for n in range(3):
    measures.count(measures.ACCEPTED, 1, "push")
    measures.observe(measures.SETTLE_SECONDS, 0.004)
    measures.SOCKETS.set(n)
(accepted,) = [m for m in measures.REGISTRY.collect() if m.name == "notifier_messages_accepted"]
(value,) = [s.value for s in accepted.samples if s.name.endswith("_total")]
print("counted", int(value), directory.gave_up())
"""


class Counting:
    """A process that has counted and lives."""

    def __init__(self, folder: Path, at: float = 1.0) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", COUNTER, str(at)],
            cwd=PROJECT,
            env={**os.environ, "METRICS_DIR": str(folder)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self.process.stdout is not None
        # behind lines of the log
        assert b"counted\n" in self.process.stdout

    def end(self, number: int = signal.SIGKILL) -> None:
        self.process.send_signal(number)
        self.process.wait()


def values(metrics: list[Metric]) -> dict[str, float]:
    return {sample.name: sample.value for metric in metrics for sample in metric.samples if "le" not in sample.labels}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["kill", "term"])
def test_counts_outlive_their_process_and_gauges_do_not(tmp_path: Path, number: int) -> None:
    first, second = Counting(tmp_path, at=5.0), Counting(tmp_path, at=7.0)
    both = values(directory.read(tmp_path))
    assert both["notifier_messages_accepted_total"] == 6
    assert both["notifier_settle_seconds_count"] == 2
    assert both["notifier_worker_slots"] == 4
    assert both["notifier_task_last_success_timestamp_seconds"] == 7
    second.end(number)
    one = values(directory.read(tmp_path))
    assert one["notifier_messages_accepted_total"] == 6
    assert one["notifier_settle_seconds_count"] == 2
    assert one["notifier_worker_slots"] == 2
    assert one["notifier_task_last_success_timestamp_seconds"] == 7
    first.end(number)
    none = values(directory.read(tmp_path))
    assert none["notifier_messages_accepted_total"] == 6
    assert "notifier_worker_slots" not in none


def test_files_of_processes_that_ended_do_not_pile_up(tmp_path: Path) -> None:
    for _ in range(3):
        Counting(tmp_path).end()
    last = Counting(tmp_path)
    try:
        # the start of the last process has cleared what the others left
        assert len(list(tmp_path.glob("*.alive"))) == 1
        assert values(directory.read(tmp_path))["notifier_messages_accepted_total"] == 12
    finally:
        last.end()


def test_a_file_that_was_cut_off_spoils_no_other(tmp_path: Path) -> None:
    counting = Counting(tmp_path)
    name = next(tmp_path.glob("*.alive")).stem
    counting.end()
    (tmp_path / f"histogram_{name}.db").write_bytes(b"\xff" * 40)
    assert values(directory.read(tmp_path))["notifier_messages_accepted_total"] == 3
    assert [path.name for path in tmp_path.glob(f"*{name}*")] == []


def test_a_moment_that_is_still_to_come_hides_nothing(tmp_path: Path) -> None:
    """A clock was an hour ahead; the process that ended with it."""
    Counting(tmp_path, at=time.time() + 3600).end()
    told = values(directory.read(tmp_path))["notifier_task_last_success_timestamp_seconds"]
    assert told <= time.time()
    # and it does not move on: the alert computes with its age
    assert values(directory.read(tmp_path))["notifier_task_last_success_timestamp_seconds"] == told


# ---- a folder that cannot be used --------------------------------------------------------------------------------


def run_cut_off(folder: Path, what: str = "folder") -> tuple[str, str]:
    """What a process that counts into the folder says of itself, and all that it prints."""
    done = subprocess.run(
        [sys.executable, "-c", CUT_OFF, what],
        cwd=PROJECT,
        env={**os.environ, "METRICS_DIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    [told] = [line for line in done.stdout.splitlines() if line.startswith("counted")]
    return told, done.stdout + done.stderr


def test_a_process_counts_in_memory_when_the_folder_cannot_be_used(tmp_path: Path) -> None:
    # also for root, who may write everywhere
    tmp_path.joinpath("file").touch()
    told, printed = run_cut_off(tmp_path / "file" / "metrics")
    assert told == "counted 3 True"
    assert printed.count("metrics are kept in memory") == 1


def test_a_file_that_cannot_be_opened_stops_no_process(tmp_path: Path) -> None:
    told, printed = run_cut_off(tmp_path, "file")
    assert told == "counted 3 False"
    assert printed.count("metrics are kept in memory") == 1


@pytest.mark.parametrize("name", ["lock", "other-1.alive"])
def test_what_is_wrong_with_files_of_others_stops_no_process(tmp_path: Path, name: str) -> None:
    tmp_path.joinpath(name).mkdir()
    told, printed = run_cut_off(tmp_path)
    assert told == "counted 3 False"
    assert "ended processes not counted" in printed


def test_a_lock_that_another_process_keeps_hangs_nobody(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import fcntl, sys; f = open(sys.argv[1], 'a'); fcntl.lockf(f, fcntl.LOCK_EX); print('held', flush=True); "
            "sys.stdin.read()",
            str(tmp_path / "lock"),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    try:
        counting = Counting(tmp_path)
        with pytest.raises(TimeoutError):
            directory.read(tmp_path)
    finally:
        holder.kill()
        holder.wait()
    # what was counted meanwhile is there
    assert values(directory.read(tmp_path))["notifier_messages_accepted_total"] == 3
    counting.end()
