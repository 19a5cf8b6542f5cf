"""The fault proxy on real sockets, and the shifted clock in a process of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from notifier.local.servers.ports import free_port
from tests.chaos.stack.proxy import Proxy
from tests.chaos.stack.site import CLOCK
from tests.flows.wait import until

DAY = 86_400
_READ = """
import datetime, time
now = datetime.datetime.now(datetime.UTC)
assert isinstance(now, datetime.datetime)
assert isinstance(datetime.datetime(2026, 1, 1), datetime.datetime)
assert datetime.datetime.fromisoformat("2026-01-01T00:00:00+00:00").year == 2026
print(time.time(), now.timestamp(), time.time_ns() / 1e9)
"""


@pytest.fixture
def target() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(60)
        yield listener


@pytest.fixture
def proxy(target: socket.socket) -> Iterator[tuple[Proxy, int]]:
    port = free_port()
    proxy = Proxy({port: lambda: int(target.getsockname()[1])})
    proxy.start()
    yield proxy, port
    proxy.close()


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=60)


def test_data_passes_in_both_directions(proxy: tuple[Proxy, int], target: socket.socket) -> None:
    with connect(proxy[1]) as client, target.accept()[0] as server:
        client.sendall(b"ping")
        assert server.recv(10) == b"ping"
        server.sendall(b"pong")
        assert client.recv(10) == b"pong"


def test_a_cut_is_heard_at_both_ends(proxy: tuple[Proxy, int], target: socket.socket) -> None:
    with connect(proxy[1]) as client, target.accept()[0] as server:
        until(lambda: proxy[0].connections == 1, "the link")
        proxy[0].cut()
        for end in (client, server):
            end.settimeout(60)
            with pytest.raises(ConnectionResetError):
                end.recv(10)


def test_what_is_swallowed_arrives_after_the_repair(proxy: tuple[Proxy, int], target: socket.socket) -> None:
    with connect(proxy[1]) as client, target.accept()[0] as server:
        proxy[0].swallow()
        client.sendall(b"ping")
        server.settimeout(0.2)
        with pytest.raises(TimeoutError):
            server.recv(10)
        proxy[0].heal()
        server.settimeout(60)
        assert server.recv(10) == b"ping"


def test_a_half_closed_connection_still_answers(proxy: tuple[Proxy, int], target: socket.socket) -> None:
    with connect(proxy[1]) as client, target.accept()[0] as server:
        until(lambda: proxy[0].connections == 1, "the link")
        proxy[0].half_close()
        server.settimeout(60)
        assert server.recv(10) == b""
        server.sendall(b"late")
        assert client.recv(10) == b"late"


def test_a_refusing_proxy_accepts_nobody(proxy: tuple[Proxy, int]) -> None:
    proxy[0].refuse()
    with connect(proxy[1]) as client, pytest.raises(ConnectionResetError):
        if not client.recv(10):  # closed without a reset, as a system may do
            raise ConnectionResetError


def test_a_proxy_whose_target_is_down_closes_the_connection() -> None:
    port, nobody = free_port(), free_port()
    proxy = Proxy({port: lambda: nobody})
    proxy.start()
    with connect(port) as client:
        client.settimeout(60)
        closed = threading.Event()
        try:
            if client.recv(10) == b"":
                closed.set()
        except ConnectionResetError:
            closed.set()
        assert closed.is_set()
    proxy.close()


@pytest.mark.parametrize("seconds", [DAY, -DAY], ids=["ahead", "behind"])
def test_a_shifted_clock_is_seen_by_every_call(seconds: int) -> None:
    def read(environ: dict[str, str]) -> list[float]:
        command = [sys.executable, "-c", _READ]
        ran = subprocess.run(command, env={**os.environ, **environ}, capture_output=True, text=True, check=True)
        return [float(number) for number in ran.stdout.split()]

    before = read({})
    shifted = read({"PYTHONPATH": str(CLOCK), "CHAOS_CLOCK_SECONDS": str(seconds)})
    after = read({})
    for first, now, last in zip(before, shifted, after, strict=True):
        assert first + seconds <= now <= last + seconds
