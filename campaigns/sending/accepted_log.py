"""Which messages of a shard a mail server has accepted, noted in Redis before a connection begins its next message.

The shard's outcomes are written with each chunk, so a killed process knows more than the database. A push has a
collapse key, which hides a repeat; an email has none. The process that claims the shard next reads this log, and
repeats only what no server accepted: at most one message of each connection, whose final dot was written and whose
answer was not read. While Redis is away, a crash also repeats what was answered since the last write of outcomes.

The transport's thread writes the log and reads no answer (CLIENT REPLY OFF): 6 µs a message, 3 of them in Redis. What
the kernel has taken reaches Redis, whatever happens to the process.
"""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import Any

import redis

from notifier.delivery.infra import redis as engine_redis

KEEP_SECONDS = 86_400  #: a shard that no worker claims for a day repeats what is in doubt
#: Redis may hold the transport's thread for so long; then nothing is noted for RETRY_SECONDS
SEND_TIMEOUT, RETRY_SECONDS = 0.05, 5.0
_ACCEPTED = b"\x01"


class AcceptedLog:
    """The log of one shard."""

    def __init__(self, shard_id: uuid.UUID) -> None:
        key = _key(shard_id).encode()
        self._command = b"*4\r\n$8\r\nSETRANGE\r\n$%d\r\n%b\r\n$" % (len(key), key)
        self._start = _encoded(b"SET", key, b"", b"NX", b"EX", str(KEEP_SECONDS).encode())
        self._started = False

    def start(self) -> None:
        """Connect, which may take a second."""
        self._started = _connection.connect() and _connection.send(self._start)

    def noting(self, rows: Sequence[int]) -> Callable[[Sequence[int]], None]:
        """A function for the transport that notes these indexes of `rows`."""

        def note_accepted(indexes: Sequence[int]) -> None:
            if self._started:
                positions = [b"%d" % rows[index] for index in indexes]
                _connection.send(
                    b"".join(
                        b"%b%d\r\n%b\r\n$1\r\n%b\r\n" % (self._command, len(position), position, _ACCEPTED)
                        for position in positions
                    )
                )

        return note_accepted


def read_accepted(shard_id: uuid.UUID, among: Collection[int]) -> list[int]:
    """The messages of `among` that a server has accepted, as far as Redis knows."""
    try:
        noted = engine_redis.client().get(_key(shard_id)) or b""
    except engine_redis.Unavailable:
        return []
    return [i for i in among if noted[i : i + 1] == _ACCEPTED]


def reset() -> None:
    """Forget this process's connection; the next one reads the settings again."""
    _connection.reset()


class _Connection:
    """This process's connection for logs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connection: Any = None  #: redis.Connection, whose methods have no types
        self._retry_at = 0.0

    def connect(self) -> bool:
        if self._connection is None and time.monotonic() >= self._retry_at:
            self._retry_at = time.monotonic() + RETRY_SECONDS
            with suppress(redis.RedisError, OSError):
                self._connection = _connected()  # without the lock, for which the transport's thread would wait
        return self._connection is not None

    def send(self, commands: bytes) -> bool:
        """Any thread; returns False when nothing was sent."""
        with self._lock:
            if self._connection is None:
                return False
            try:
                self._connection.send_packed_command([commands], check_health=False)
            except (redis.RedisError, OSError):
                self._connection, self._retry_at = None, time.monotonic() + RETRY_SECONDS
                return False
            return True

    def reset(self) -> None:
        """Forget the connection, without closing it: in a forked child it is the parent's."""
        self._lock, self._connection, self._retry_at = threading.Lock(), None, 0.0


def _connected() -> Any:
    pool = engine_redis.pool(socket_timeout=SEND_TIMEOUT, socket_connect_timeout=1.0)
    connection: Any = pool.make_connection()
    connection.kept_pool = pool  # a connection that asks sentinels refers to its pool weakly
    connection.connect()
    connection.send_packed_command([_encoded(b"CLIENT", b"REPLY", b"OFF")], check_health=False)
    return connection


_connection = _Connection()
os.register_at_fork(after_in_child=_connection.reset)


def _encoded(*words: bytes) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


def _key(shard_id: uuid.UUID) -> str:
    return f"accepted:{shard_id}"
