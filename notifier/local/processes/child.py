"""One supervised process: started, watched, restarted with back-off when it crashes, and stopped with a grace
period."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol

from notifier.local.console import Say, say
from notifier.local.processes import pids, records
from notifier.local.processes.ready import Ready, Running, at_once

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
#: seconds; after a longer run, the back-off starts anew
STABLE_AFTER = 60.0


@dataclass(frozen=True)
class Program:
    """What to run, and how to supervise it. `user` is the (uid, gid) to run as; None for that of this process. Programs
    with a larger `stop_order` stop first."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    ready: Ready = at_once
    stop_signal: int = signal.SIGTERM
    grace: float = 10.0
    timeout: float = 90.0
    stop_order: int = 1
    stdin: bytes = b""
    user: tuple[int, int] | None = None
    nice: int = 0


class Process(Protocol):
    """The part of subprocess.Popen that a supervisor uses."""

    @property
    def pid(self) -> int: ...
    @property
    def returncode(self) -> int: ...
    @property
    def stdin(self) -> IO[bytes] | None: ...
    def wait(self) -> int: ...
    def send_signal(self, number: int) -> None: ...


class ProcessFailed(Exception):
    """A process could not be started, ended, or was not ready in time. The message has the end of its log, or names
    the log."""


@dataclass
class Child:
    """A running program. Its log is `logs/<name>.log` in the folder, its record `run/<name>.json`."""

    program: Program
    folder: Path
    say: Say = say
    #: starts the program another way than by subprocess.Popen, with the log as its output
    fork: Callable[[Program, Path], Process] | None = None
    restarts: int = 0
    _popen: Process | None = field(default=None, init=False)
    _log_offset: int = field(default=0, init=False)
    _was_ready: bool = field(default=False, init=False)
    _stop_requested: threading.Event = field(default_factory=threading.Event, init=False)
    _ended: threading.Event = field(default_factory=threading.Event, init=False)
    _spawning: threading.Lock = field(default_factory=threading.Lock, init=False)

    @property
    def log(self) -> Path:
        return self.folder / "logs" / f"{self.program.name.replace(':', '-')}.log"

    @property
    def pid(self) -> int | None:
        """None while it is not running."""
        popen = self._popen
        return popen.pid if popen is not None and pids.started_at(popen.pid) is not None else None

    def start(self) -> None:
        """Start it and wait until it is ready. Raises ProcessFailed."""
        self._begin(terminal=False)
        self._wait_ready()
        self._was_ready = True

    def run(self) -> int:
        """Run it to its end with its output on this terminal, and return its exit code."""
        self._begin(terminal=True)
        while not self._ended.wait(0.2):
            pass
        return self._popen.returncode if self._popen is not None else 1

    def stop(self) -> None:
        """Send the stop signal, wait for the grace period, then kill what is left of its process group."""
        popen = self._request_stop()
        if popen is None:
            return
        if not self._ended.is_set():
            popen.send_signal(self.program.stop_signal)
        if not self._ended.wait(self.program.grace):
            self.say(self.program.name, f"did not stop within {self.program.grace:.0f} s: killed")
        pids.kill_group(popen.pid)
        self._ended.wait(5)

    def kill(self) -> None:
        """kill -9 its whole process group. It is not restarted."""
        popen = self._request_stop()
        if popen is not None:
            pids.kill_group(popen.pid)
            self._ended.wait(5)

    def tail(self, lines: int = 12) -> str:
        """The last lines of output since the last start."""
        return "\n".join(self._running().output().splitlines()[-lines:])

    def _request_stop(self) -> Process | None:
        with self._spawning:
            self._stop_requested.set()
            return self._popen

    def _begin(self, *, terminal: bool) -> None:
        self._spawn(terminal=terminal)
        if self._popen is None:
            raise ProcessFailed(f"{self.program.name} was stopped before it started")
        threading.Thread(target=self._watch, name=f"watch {self.program.name}", daemon=True).start()

    def _spawn(self, *, terminal: bool = False) -> None:
        with self._spawning:
            if self._stop_requested.is_set():
                return
            self.log.parent.mkdir(parents=True, exist_ok=True)
            with self.log.open("ab") as output:
                self._log_offset = output.tell()
                if self.fork is not None:
                    self._popen = self.fork(self.program, self.log)
                else:
                    self._popen = self._open(None if terminal else output.fileno())
            self._record(self._popen.pid)
        if self._popen.stdin is not None:
            self._popen.stdin.write(self.program.stdin)
            self._popen.stdin.close()

    def _open(self, output: int | None) -> Process:
        uid, gid = self.program.user or (None, None)
        return subprocess.Popen(
            self.program.argv,
            stdin=subprocess.PIPE if self.program.stdin else subprocess.DEVNULL,
            stdout=output,
            stderr=None if output is None else subprocess.STDOUT,
            env=dict(self.program.env),
            cwd=self.program.cwd,
            start_new_session=True,
            user=uid,
            group=gid,
            extra_groups=None if gid is None else [],
        )

    def _record(self, pid: int) -> None:
        start = pids.started_at(pid)
        if start is None:
            return
        program = self.program
        record = records.Record(pid, start, program.stop_signal, program.grace, program.stop_order)
        records.write(self.folder, program.name, record)

    def _watch(self) -> None:
        pause = FIRST_PAUSE
        while True:
            code, seconds = self._wait_exit()
            if self._stop_requested.is_set() or not self._was_ready:
                break
            pause = FIRST_PAUSE if seconds > STABLE_AFTER else pause
            self.say(self.program.name, f"{_exit_reason(code)}; restarts in {pause:g} s\n{self.tail(5)}")
            if self._stop_requested.wait(pause):
                break
            pause = min(pause * 2, LONGEST_PAUSE)
            self.restarts += 1
            try:
                self._spawn()
            except ProcessFailed as problem:  # the next turn of this loop tries again
                self.say(self.program.name, str(problem))
        self._ended.set()

    def _wait_exit(self) -> tuple[int, float]:
        assert self._popen is not None
        started = time.monotonic()
        code = self._popen.wait()
        # the pool processes of a worker that was killed with -9 would continue
        pids.signal_group(self._popen.pid, signal.SIGKILL)
        records.remove(self.folder, self.program.name)
        return code, time.monotonic() - started

    def _wait_ready(self) -> None:
        deadline = time.monotonic() + self.program.timeout
        while not self.program.ready(self._running()):
            if self._ended.is_set():
                raise ProcessFailed(f"{self.program.name} ended before it was ready:\n{self.tail()}")
            if time.monotonic() > deadline:
                self.kill()
                message = f"{self.program.name} was not ready within {self.program.timeout:.0f} s"
                raise ProcessFailed(f"{message}:\n{self.tail()}")
            time.sleep(0.02)

    def _running(self) -> Running:
        assert self._popen is not None
        return Running(self._popen.pid, self.log, self._log_offset)


def _exit_reason(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
