"""Programs that are forked from a process that has imported the product."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from notifier.local.console import say_nothing
from notifier.local.processes import pids
from notifier.local.processes.child import Child, Process, Program
from notifier.local.processes.fork_server import Order
from notifier.local.processes.forking import ForkServers
from notifier.local.processes.programs import PROJECT
from notifier.local.processes.ready import log_says

from .test_child import eventually

Start = Callable[..., Child]

ENV = {**os.environ, "GREETING": "hello"}


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[ForkServers]:
    running = ForkServers(PROJECT, tmp_path / "fork-server.log", "tests.local.preloaded")
    yield running
    running.close()


@pytest.fixture
def forked(servers: ForkServers, tmp_path: Path) -> Iterator[Start]:
    """Start `python -m tests.local.preloaded WORD`, supervised."""
    children = []

    def start(word: str, nice: int = 0) -> Child:
        def fork(program: Program, log: Path) -> Process:
            return servers.fork(order(word, log, ENV)._replace(nice=program.nice))

        argv = ("python", "-m", "tests.local.preloaded", word)
        program = Program(f"program:{word}", argv, ENV, PROJECT, ready=log_says(r"hello .*\n"), nice=nice)
        children.append(Child(program, tmp_path, say_nothing, fork))
        children[-1].start()
        return children[-1]

    yield start
    for child in children:
        child.kill()


def order(word: str, log: Path, env: dict[str, str]) -> Order:
    return Order(word, ("tests.local.preloaded", word), env, str(log), str(PROJECT), nice=0)


def test_two_programs_share_what_one_process_has_imported(servers: ForkServers, forked: Start) -> None:
    first, second = forked("one", nice=3), forked("two")
    [server] = servers.pids
    assert first.log.read_text().splitlines()[-1] == f"one hello {server} 3 True"
    assert second.log.read_text().splitlines()[-1] == f"two hello {server} 0 True"
    assert first.pid != second.pid


def test_another_environment_has_a_fork_server_of_its_own(servers: ForkServers, forked: Start, tmp_path: Path) -> None:
    forked("one")
    process = servers.fork(order("7", tmp_path / "log", {**ENV, "GREETING": "bye"}))
    assert process.wait() == 7
    assert len(servers.pids) == 2


def test_a_killed_program_ends_alone_and_starts_again(forked: Start) -> None:
    first, second = forked("one"), forked("two")
    killed, spared = first.pid, second.pid
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    assert eventually(lambda: first.pid not in (None, killed))
    assert (first.restarts, second.restarts, second.pid) == (1, 0, spared)


def test_stop_and_kill_leave_no_process(forked: Start) -> None:
    children = [forked("one"), forked("two")]
    started = [child.pid for child in children]
    children[0].stop()
    children[1].kill()
    assert not any(pid and pids.started_at(pid) for pid in started)
    assert [child.restarts for child in children] == [0, 0]


def test_when_the_fork_server_is_killed_its_programs_start_again_from_another(
    servers: ForkServers, forked: Start
) -> None:
    child = forked("one")
    [server], first = servers.pids, child.pid
    os.kill(server, signal.SIGKILL)
    assert eventually(lambda: child.log.read_text().count("hello") == 2)
    assert child.pid not in (None, first)
    assert servers.pids != [server]


def test_what_cannot_be_imported_names_the_log(tmp_path: Path) -> None:
    log = tmp_path / "fork-server.log"
    servers = ForkServers(PROJECT, log, "tests.local.no_such_module")
    with pytest.raises(ChildProcessError, match=r"fork-server\.log"):
        servers.fork(order("one", tmp_path / "one.log", ENV))
    servers.close()
    assert "No module named 'tests.local.no_such_module'" in log.read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can shorten a pipe")
def test_a_fork_server_that_ends_amid_an_order_is_closed_as_any_other(servers: ForkServers, tmp_path: Path) -> None:
    env = {"PATH": os.environ["PATH"]}
    child = servers.fork(order("one", tmp_path / "one.log", env))
    [server] = servers.pids
    os.kill(server, signal.SIGSTOP)
    with Path(f"/proc/{server}/fd/0").open("rb") as pipe:
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, 4096)
    # longer than the pipe, shorter than the buffer of the file that writes into it
    half_read = order("two", tmp_path / "two.log", env)._replace(arguments=("x" * 6_000,))
    threading.Timer(0.2, os.kill, [server, signal.SIGKILL]).start()
    with pytest.raises(ChildProcessError):
        servers.fork(half_read)
    servers.close()
    child.wait()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how much memory is shared")
def test_the_memory_of_a_tree_counts_the_forks(servers: ForkServers, forked: Start) -> None:
    forked("one")
    [server] = servers.pids
    before = pids.tree_memory_mb(server)
    assert before is not None and before > 0
    for word in ("two", "three", "four"):
        forked(word)
    # a fork has a fraction of the pages of the process that it was forked from
    assert pids.tree_memory_mb(server) < 3 * before  # type: ignore[operator]
    assert (pids.tree_memory_mb(os.getpid()) or 0) > before
