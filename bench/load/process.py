"""Starts a generator in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

from bench.load.result import LoadResult
from bench.load.spec import LoadSpec
from notifier.local.processes.programs import PROJECT

#: seconds that a generator may take besides its requests
MARGIN = 90.0


class LoadFailed(Exception):
    """A generator ended without a result."""


class Load:
    """`with Load(spec) as load:` the generator sends inside of the block. `stop()` and `wait()` return its result."""

    def __init__(self, spec: LoadSpec) -> None:
        self.spec = spec

    def __enter__(self) -> Self:
        # one pipe for the result and for a traceback: each ends with the line that counts
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.load"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=PROJECT,
        )  # fmt: skip
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None
        self._stdin, self._stdout = stdin, stdout
        stdin.write(self.spec.as_json() + "\n")
        stdin.flush()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for stream in (self._stdin, self._stdout):
            with suppress(BrokenPipeError):
                stream.close()

    def wait(self) -> LoadResult:
        """Return when the generator has sent its count. Raises LoadFailed."""
        return self._result(MARGIN + (self.spec.count / self.spec.per_s if self.spec.per_s else 0.0))

    def stop(self) -> LoadResult:
        """Stop the generator; the requests in flight are answered. Raises LoadFailed."""
        self._stdin.close()
        return self._result(MARGIN)

    def _result(self, timeout: float) -> LoadResult:
        watchdog = threading.Timer(timeout, self._process.kill)
        watchdog.start()
        try:
            lines = self._stdout.read().strip().splitlines() or ["it ended without a word"]
            status = self._process.wait()
        finally:
            watchdog.cancel()
        if status:
            raise LoadFailed(f"the load generator ended with {status}: {lines[-1][:300]}")
        return LoadResult.parse(lines[-1])
