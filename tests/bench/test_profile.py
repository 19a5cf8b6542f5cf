"""CPU by process and thread, from the kernel's counters."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from bench.profile import ENDED, NAMES_THREADS, Clock, Profile, Row, differences, shown, title_of

linux = pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="Linux has /proc")

WORK_IN_A_THREAD = """
import threading, time
ended, going = threading.Event(), threading.Event()
def work():
    while time.thread_time() < 0.15: pass
    ended.set()
    going.wait()
threading.Thread(target=work, name="request_7", daemon=True).start()
input()
ended.wait()
print("worked", flush=True)
input()
"""


@linux
def test_a_profile_names_the_thread_that_worked() -> None:
    env = {**os.environ, "PYTHONPATH": str(NAMES_THREADS)}
    command = [sys.executable, "-c", WORK_IN_A_THREAD]
    profile = Profile()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        with profile.part("work", {"web": [process.pid]}):
            process.stdin.write("\n")
            process.stdin.flush()
            assert process.stdout.readline() == "worked\n"
        process.communicate("\n")
    assert profile.parts["work"][Row("web", "main", "request")] > 0
    assert "## work" in profile.page()


def test_threads_whose_names_differ_by_a_number_are_one_row_and_ended_ones_are_counted() -> None:
    before = {("web", 1): Clock("main", 1.0, {1: ("python", 0.5), 2: ("request_0", 0.5)})}
    after = {
        ("web", 1): Clock("main", 4.0, {1: ("python", 0.75), 2: ("request_0", 1.5), 3: ("request_1", 0.5)}),
        ("web", 2): Clock("child", 0.25, {9: ("python", 0.25)}),
    }
    rows = differences(before, after)
    assert rows[Row("web", "main", "request")] == 1.5
    assert rows[Row("web", "main", ENDED)] == 1.25
    assert rows[Row("web", "child", "python")] == 0.25
    assert rows.total() == 3.25


def test_the_most_expensive_process_comes_first_and_small_ones_are_left_out() -> None:
    rows = Counter({Row("web", "main", "a"): 1, Row("beat", "main", "b"): 0.001, Row("valkey", "main", "c"): 2})
    assert [row[:3] for row in shown(rows)] == [
        ("valkey", "main", "all"), ("", "", "c"), ("web", "main", "all"), ("", "", "a"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("command", "is_main", "title"),
    [
        (["postgres: notifier_web notifier 127.0.0.1(40912) idle in transaction"], False, "notifier_web"),
        (["postgres: autovacuum worker notifier"], False, "autovacuum worker notifier"),
        (["postgres: checkpointer "], False, "checkpointer"),
        (["/usr/bin/python", "-m", "notifier.web"], True, "main"),
        (["/usr/bin/python", "-c", "from multiprocessing.spawn import spawn_main"], False, "child"),
    ],
)
def test_the_title_of_a_process_names_its_job(command: list[str], is_main: bool, title: str) -> None:
    assert title_of(command, is_main=is_main) == title
