"""The folder in which processes keep what they measure: counts outlive their process, gauges end with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
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
        assert self.process.stdout.readline() == b"counted\n"

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
