"""The client of the fork server: programs that are forked from a process that has imported the product."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO

from notifier.local.processes import pids
from notifier.local.processes.fork_server import Order

_SERVER = "notifier.local.processes.fork_server"


class ForkedProcess:
    """One forked program, with the part of subprocess.Popen that a supervisor uses."""

    stdin: IO[bytes] | None = None

    def __init__(self, pid: int) -> None:
        self.pid, self.returncode = pid, 0
        self._ended = threading.Event()

    def wait(self) -> int:
        self._ended.wait()
        return self.returncode

    def send_signal(self, number: int) -> None:
        if not self._ended.is_set():
            os.kill(self.pid, number)

    def end(self, code: int) -> None:
        """The fork server has reported the end."""
        self.returncode = code
        self._ended.set()


class ForkServer:
    """One fork server. All its programs have the environment `env`, because the settings are read before the fork."""

    def __init__(self, env: Mapping[str, str], cwd: Path, log: Path, preload: str) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            self._popen = subprocess.Popen(
                [sys.executable, "-m", _SERVER, preload],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                env=dict(env),
                cwd=cwd,
                start_new_session=True,
            )
        self.alive = True
        self._lock = threading.Lock()
        self._forked: queue.SimpleQueue[ForkedProcess | None] = queue.SimpleQueue()
        self._running: dict[int, ForkedProcess] = {}
        threading.Thread(target=self._read, name="fork server", daemon=True).start()

    @property
    def pid(self) -> int:
        return self._popen.pid

    def fork(self, order: Order) -> ForkedProcess | None:
        """Start a program. None when the fork server has ended."""
        with self._lock:
            if not self.alive:
                return None
            assert self._popen.stdin is not None
            try:
                self._popen.stdin.write(json.dumps(order).encode() + b"\n")
                self._popen.stdin.flush()
            except BrokenPipeError:
                return None
            return self._forked.get()

    def close(self) -> None:
        """End the fork server; its programs have ended before."""
        assert self._popen.stdin is not None
        with suppress(BrokenPipeError):  # the fork server ended before it had read the last order
            self._popen.stdin.close()
        self._popen.wait()

    def _read(self) -> None:
        assert self._popen.stdout is not None
        for line in self._popen.stdout:
            answer = json.loads(line)
            if "code" in answer:
                self._running.pop(answer["pid"]).end(answer["code"])
            else:
                process = self._running[answer["pid"]] = ForkedProcess(answer["pid"])
                self._forked.put(process)
        self._end_all()

    def _end_all(self) -> None:
        """The fork server has ended, so no end of a program would be reported any more: end the programs, and their
        supervisor starts them again."""
        self.alive = False
        self._popen.wait()
        self._forked.put(None)
        for process in self._running.values():
            pids.kill_group(process.pid)
            process.end(-signal.SIGKILL)


class ForkServers:
    """One fork server for each environment; started with the first program. A program may have a failpoint of its own:
    it reads that variable after the fork."""

    def __init__(self, cwd: Path, log: Path, preload: str) -> None:
        self._cwd, self._log, self._preload = cwd, log, preload
        self._lock = threading.Lock()
        self._servers: list[tuple[dict[str, str], ForkServer]] = []

    def fork(self, order: Order) -> ForkedProcess:
        """Start a program. Raises ChildProcessError, with the name of the log, when the fork server ends."""
        process = self._server(order.env).fork(order)
        if process is None:
            raise ChildProcessError(f"{order.name} was not started: the fork server ended; see {self._log}")
        return process

    def close(self) -> None:
        with self._lock:
            for _, server in self._servers:
                server.close()

    @property
    def pids(self) -> list[int]:
        return [server.pid for _, server in self._servers if server.alive]

    def _server(self, env: dict[str, str]) -> ForkServer:
        env = {name: value for name, value in env.items() if name != "NOTIFIER_FAILPOINT"}
        with self._lock:
            for known, server in self._servers:
                if known == env and server.alive:
                    return server
            server = ForkServer(env, self._cwd, self._log, self._preload)
            self._servers.append((env, server))
            return server
