"""Centrifugo, a server of live messages in Go, beside our inbox: what a socket costs, and a message to all.

Its sockets carry no history per person, no counters and no proof of identity; every client may connect and subscribe.
bench/README.md says how to install it.
"""

from __future__ import annotations

import json
import queue
import shutil
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import psutil

from bench.sinks.base import first_line, stop
from notifier.local.processes.programs import PROJECT
from notifier.local.servers.ports import free_port

CHANNEL, MESSAGE = "news", {"title": "News for Person 7", "body": "The owl is watching you."}
#: connects a second that are offered
PER_S = 600
#: seconds to start, and beyond the expected time for all to connect or to receive
START_TIMEOUT, MARGIN = 20.0, 60.0
#: messages to all, of which the fastest counts: the first one also grows buffers
MESSAGES = 3


class NoCentrifugo(Exception):
    """Centrifugo is not installed, did not start, or lost a message."""


def measure(folder: Path, sockets: int, idle_seconds: float) -> dict[str, Any]:
    """The figures of bench/sockets.py that Centrifugo has too. Raises NoCentrifugo."""
    program = shutil.which("centrifugo")
    if program is None:
        raise NoCentrifugo("no centrifugo on PATH")
    folder.mkdir(parents=True, exist_ok=True)
    with _serving(program, folder) as (server, port), _clients(port, sockets) as lines:
        before, cpu = _kb(server), _cpu(server)
        connected = _next(lines, sockets / PER_S + MARGIN)
        connect_cpu, kb = _cpu(server) - cpu, _kb(server) - before
        cpu = _cpu(server)
        time.sleep(idle_seconds)
        idle_cpu = _cpu(server) - cpu
        seconds, to_all_cpu = min(_message_to_all(server, port, lines) for _ in range(MESSAGES))
    return {
        "version": first_line(program, "version"),
        "sockets": sockets,
        "connects_per_s": round(sockets / (connected["ready"] - connected["began"])),
        "connect_ms": round(connect_cpu * 1e3 / sockets, 3),
        "kb_a_socket": round(kb / sockets, 1),
        "idle_ms_a_minute": round(idle_cpu * 1e3 * 60 / idle_seconds / sockets, 3),
        "to_all_seconds": round(seconds, 2),
        "to_all_us": round(to_all_cpu * 1e6 / sockets, 1),
    }


def _message_to_all(server: psutil.Process, port: int, lines: queue.Queue[str]) -> tuple[float, float]:
    """Seconds until the last client has it, and CPU seconds of the server."""
    cpu, began = _cpu(server), time.time()
    body = json.dumps({"channel": CHANNEL, "data": MESSAGE}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/api/publish", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        answer.read()
    last = float(_next(lines, MARGIN)["last"])
    return last - began, _cpu(server) - cpu


@contextmanager
def _serving(program: str, folder: Path) -> Iterator[tuple[psutil.Process, int]]:
    port = free_port()
    config = folder / "config.json"
    config.write_text(
        json.dumps(
            {
                "client": {"insecure": True, "allowed_origins": ["*"]},
                "http_api": {"insecure": True},
                "channel": {"without_namespace": {"allow_subscribe_for_client": True}},
                "log": {"level": "error"},
            }
        )
    )
    options = ["-c", str(config), "-a", "127.0.0.1", "-p", str(port)]
    with (folder / "centrifugo.log").open("ab") as log:
        process = subprocess.Popen([program, *options], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder)
    try:
        _wait_listening(process, port, folder / "centrifugo.log")
        yield psutil.Process(process.pid), port
    finally:
        stop(process)


def _wait_listening(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until = time.monotonic() + START_TIMEOUT
    while not any(
        connection.status == psutil.CONN_LISTEN and connection.laddr.port == port
        for connection in psutil.Process(process.pid).net_connections()
    ):
        if process.poll() is not None or time.monotonic() > until:
            raise NoCentrifugo(f"it does not listen: {log.read_text(errors='replace').strip()[-300:]}")
        time.sleep(0.05)


@contextmanager
def _clients(port: int, sockets: int) -> Iterator[queue.Queue[str]]:
    """The lines of the clients' process."""
    command = [sys.executable, "-m", "bench.peers.centrifugo_clients"]
    lines: queue.Queue[str] = queue.Queue()

    def read(output: IO[str]) -> None:
        for line in output:
            lines.put(line)

    with subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        threading.Thread(target=read, args=(process.stdout,), daemon=True).start()
        process.stdin.write(json.dumps({"port": port, "channel": CHANNEL, "sockets": sockets, "per_s": PER_S}) + "\n")
        process.stdin.flush()
        try:
            yield lines
        finally:
            process.kill()


def _next(lines: queue.Queue[str], timeout: float) -> dict[str, Any]:
    try:
        report: dict[str, Any] = json.loads(lines.get(timeout=timeout))
    except queue.Empty:
        raise NoCentrifugo(f"not all clients were served within {timeout:.0f} s") from None
    return report


def _kb(process: psutil.Process) -> float:
    return float(process.memory_full_info().pss) / 1024


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
