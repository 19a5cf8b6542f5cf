"""A test run leaves only the logs of a failure, and cleans up after killed runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from notifier.local import secret_file, testing
from notifier.local.processes.child import ProcessFailed
from notifier.local.processes.programs import PROJECT, Queue, parse_queues
from notifier.local.processes.run_parallel import run_parallel
from notifier.local.processes.watchdog import Watchdog


def run_tests(*files: str) -> tuple[int, Path]:
    """Run pytest. Returns its exit code and the folder of the run."""
    ours = ("TEST_PROCESSES", "PYTEST_")
    environment = {k: v for k, v in os.environ.items() if not k.endswith(("DATABASE_URL", "REDIS_URL"))}
    run = subprocess.Popen(
        [sys.executable, "-m", "pytest", *files],
        cwd=PROJECT,
        env={k: v for k, v in environment.items() if not k.startswith(ours)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return run.wait(), testing.LOCAL / f"test-{run.pid}"


def test_a_passed_run_exits_with_pytests_code_and_leaves_nothing() -> None:
    code, folder = run_tests("tests/test_vocabulary.py")
    assert code == 0
    assert not folder.exists()


def test_a_failed_run_keeps_its_logs_and_nothing_else(tmp_path: Path) -> None:
    failing = tmp_path / "test_failing.py"
    failing.write_text("def test_that_fails() -> None:\n    raise AssertionError\n")
    code, folder = run_tests("tests/test_vocabulary.py", str(failing))
    assert code == 1
    assert [entry.name for entry in folder.iterdir()] == ["logs"]
    testing.remove_folder(folder, keep_logs=False)


def test_the_folder_of_a_killed_run_is_removed_and_that_of_a_running_one_is_not(tmp_path: Path) -> None:
    dead, alive = tmp_path / "test-1", tmp_path / "test-2"
    Watchdog(dead).release()
    watchdog = Watchdog(alive)
    try:
        testing.remove_stale_folders(tmp_path)
        assert (dead.exists(), alive.exists()) == (False, True)
    finally:
        watchdog.release()


def test_logs_of_a_failure_stay_for_a_day(tmp_path: Path) -> None:
    fresh, old = tmp_path / "test-1", tmp_path / "test-2"
    for folder in (fresh, old):
        folder.joinpath("logs").mkdir(parents=True)
    os.utime(old, (0, 0))
    testing.remove_stale_folders(tmp_path)
    assert (fresh.exists(), old.exists()) == (True, False)


def test_secrets_are_generated_once_and_kept_and_a_missing_one_is_added(tmp_path: Path) -> None:
    path = tmp_path / "secrets"
    first = secret_file.load_or_create(path)
    assert len(set(first.values())) == len(secret_file.SECRETS)
    assert secret_file.load_or_create(path) == first
    secret_file.write(path, {"SECRET_KEY": first["SECRET_KEY"]})
    assert secret_file.load_or_create(path)["SECRET_KEY"] == first["SECRET_KEY"]
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("text", "queues"),
    [
        ("", []),
        ("push 1 1\n", [Queue("push", 1, 1)]),
        ("warning: slow disk\npush.bulk 1 2\n", [Queue("push.bulk", 1, 2)]),
        ("push one 1\n", []),
    ],
)
def test_queues_are_read_from_lines_of_three(text: str, queues: list[Queue]) -> None:
    assert parse_queues(text) == queues


def test_a_queue_of_two_nodes_has_two_workers() -> None:
    assert Queue("push.bulk", 1, 2).workers == ["worker:push.bulk:1", "worker:push.bulk:2"]


def test_run_parallel_keeps_the_order_and_raises_the_first_error() -> None:
    def fail() -> int:
        raise ProcessFailed("no")

    assert run_parallel([lambda: 1, lambda: 2]) == [1, 2]
    assert run_parallel([]) == []
    with pytest.raises(ProcessFailed, match="no"):
        run_parallel([lambda: 1, fail])
