"""Who has just written reads the primary, and a Redis that hangs holds up nobody for long."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from notifier.delivery.infra import redis
from notifier.web.replica import pins
from tests.flows.wait import until


class SilentRedis:
    """Takes connections and never answers, as a server does that was stopped (SIGSTOP)."""

    def __init__(self, instead_of: str) -> None:
        self.instead_of = instead_of
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._listener.getsockname()[1]}/0"
        self._open: list[socket.socket] = []
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        with suppress(OSError):  # closed
            while True:
                self._open.append(self._listener.accept()[0])

    @property
    def connections(self) -> int:
        return len(self._open)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for one in self._open:
            one.close()


@pytest.fixture(autouse=True)
def _from_the_beginning(settings: Any) -> Iterator[None]:
    settings.REPLICA_DATABASE_URL = "postgres://replica.example/notifier"
    pins.reset()
    yield
    pins.reset()


@pytest.fixture
def silent(settings: Any) -> Iterator[SilentRedis]:
    server = SilentRedis(settings.REDIS_URL)
    settings.REDIS_URL = server.url
    redis.reset()
    yield server
    redis.reset()
    server.close()


def test_a_key_that_wrote_reads_the_primary() -> None:
    assert not pins.key_has_written(b"a")
    pins.key_wrote([b"a"])
    assert (pins.key_has_written(b"a"), pins.key_has_written(b"b")) == (True, False)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The uses of Redis by this thread. The connections that the server sees are also those of other threads."""
    made, client, own = [], redis.client, threading.get_ident()

    def counted() -> Any:
        if threading.get_ident() == own:
            made.append("call")
        return client()

    monkeypatch.setattr(redis, "client", counted)
    return made


def test_a_redis_that_hangs_is_called_once_and_then_left_alone(
    silent: SilentRedis, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # however slow this machine is, the pause does not end
    monkeypatch.setattr(pins, "PAUSE_SECONDS", 3_600.0)
    for number in range(20):
        pins.key_wrote([bytes([number]), b"another"])
        assert pins.key_has_written(bytes([number]))
    until(lambda: silent.connections > 0, "the server to see a connection")
    assert calls == ["call"]


def test_after_the_pause_redis_is_told_again_and_readers_wait_for_what_it_was_not_told(
    silent: SilentRedis, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pins, "PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(pins, "seconds", lambda: 3_600)
    pins.key_wrote([b"a"])
    settings.REDIS_URL = silent.instead_of
    redis.reset()
    pins.key_wrote([b"b"])
    assert redis.client().exists(f"wrote:{b'b'.hex()}") == 1
    # Redis was not told of `a`
    assert pins.key_has_written(b"a")
    monkeypatch.setattr(pins, "seconds", lambda: -3_600)
    assert not pins.key_has_written(b"a")
