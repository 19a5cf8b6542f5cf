"""The floor of acceptance: the same load on a server in Go that reads the request and only answers 202."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from bench.load.process import Load
from bench.load.result import summary
from bench.load.spec import LoadSpec, notification
from bench.sinks.base import find_program
from notifier.local.servers.ports import free_port

SOURCE = Path(__file__).parent.parent / "peers" / "go" / "noop"
#: seconds to build, to listen, and for h2load
BUILD_TIMEOUT, START_TIMEOUT, LOAD_TIMEOUT = 300, 10.0, 60
#: requests of h2load, in a closed loop of so many connections
REQUESTS, CONNECTIONS = 40_000, 4
HEADERS = {"Content-Type": "application/json"}


class NoFloor(Exception):
    """There is no Go, or its server did not build or start."""


def measure_floor(folder: Path, steps: tuple[int, ...], seconds: int) -> dict[str, Any]:
    """`steps`: waits and CPU at each rate; `highest_per_s`: h2load over HTTP/1.1 in a closed loop, None without h2load.
    Raises NoFloor."""
    program = build(folder)
    port = free_port()
    with _running(program, port) as server:
        return {
            "version": _version(),
            "steps": [_step(server, port, per_s, seconds) for per_s in steps],
            "highest_per_s": _highest(port, folder),
        }


def build(folder: Path) -> Path:
    """Compile the server. Raises NoFloor."""
    go = shutil.which("go")
    if go is None:
        raise NoFloor("no go on PATH")
    program = folder / "noop"
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [go, "build", "-o", str(program), "."], cwd=SOURCE, capture_output=True, text=True, timeout=BUILD_TIMEOUT
    )
    if done.returncode:
        raise NoFloor(f"go build: {(done.stderr or done.stdout).strip()[:300]}")
    return program


def _step(server: psutil.Process, port: int, per_s: int, seconds: int) -> dict[str, Any]:
    spec = LoadSpec(f"http://127.0.0.1:{port}", HEADERS, 1_000, per_s=per_s, count=per_s * seconds)
    before = _cpu(server)
    with Load(spec) as load:
        result = load.wait()
    waits = {name: value for name, value in summary(result, {}).items() if not name.startswith("p")}
    return {"per_s": per_s, **waits, "cpu_us": round((_cpu(server) - before) * 1e6 / len(result.ids), 1)}


def _highest(port: int, folder: Path) -> float | None:
    program = find_program("h2load")
    if program is None:
        return None
    body = folder / "notification.json"
    body.write_text(json.dumps(notification(0, 0, "order-shipped")))
    options = ["--h1", "-n", str(REQUESTS), "-c", str(CONNECTIONS), "-d", str(body)]
    url = f"http://127.0.0.1:{port}/v1/notifications"
    done = subprocess.run([program, *options, url], capture_output=True, text=True, timeout=LOAD_TIMEOUT)
    rate = re.search(r"finished in .*?, ([\d.]+) req/s", done.stdout)
    return float(rate[1]) if rate and f"{REQUESTS} succeeded" in done.stdout else None


@contextmanager
def _running(program: Path, port: int) -> Iterator[psutil.Process]:
    process = subprocess.Popen([program, str(port)])
    try:
        until = time.monotonic() + START_TIMEOUT
        while not _listens(process.pid):
            if process.poll() is not None or time.monotonic() > until:
                raise NoFloor("the server in Go does not listen")
            time.sleep(0.02)
        yield psutil.Process(process.pid)
    finally:
        process.kill()
        process.wait()


def _listens(pid: int) -> bool:
    return any(connection.status == psutil.CONN_LISTEN for connection in psutil.Process(pid).net_connections())


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _version() -> str:
    shown = subprocess.run(["go", "version"], capture_output=True, text=True).stdout.split()
    return shown[2] if len(shown) > 2 else "go"
