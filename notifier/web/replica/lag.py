"""How far the replica is behind the primary, without comparing the clocks of two machines.

A thread of the web process asks the primary once a second how far its log (WAL) reaches, and the replica how much of it
is applied. What the primary had written at a time, and the replica has applied, is as old as that time at most. So a
replay that is paused, a replica that has lost the primary, and a primary that writes nothing are all judged rightly.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable

import structlog
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, Error, connections

from notifier.metrics.recording import measures

log = structlog.get_logger("notifier.web.replica")

REPLICA = "replica"
EVERY_SECONDS = 1.0
#: samples of the primary that are kept: more than the lag that may be allowed
_SAMPLES = 120
_PRIMARY = "SELECT (pg_current_wal_lsn() - '0/0')::bigint"
#: NULL for a server that is no replica any more: it was made the primary of others
_REPLICA = "SELECT CASE WHEN pg_is_in_recovery() THEN (pg_last_wal_replay_lsn() - '0/0')::bigint END"


def staleness(samples: Iterable[tuple[float, int]], applied: int, now: float) -> float | None:
    """Seconds by which the replica may be behind; None when it lacks even the oldest sample. `samples`: when, and how
    far the primary's log reached, in order. Pure."""
    reached = [at for at, written in samples if written <= applied]
    return now - reached[-1] if reached else None


class LagWatch:
    """What the thread has found. Before the first round, and without a fresh one, the replica is not used."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque(maxlen=_SAMPLES)
        self._fresh_at: float | None = None  #: what the replica shows was true then
        self._last_fresh_at = time.monotonic()  #: the same, also while the replica does not answer
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def may_be_read(self) -> bool:
        """Whether the replica is behind by no more than the settings allow."""
        self._start()
        return self._fresh_at is not None and time.monotonic() - self._fresh_at <= settings.REPLICA_MAX_LAG_SECONDS

    def failed(self) -> None:
        """A request has just seen the replica fail: nobody reads it until the next round."""
        self._fresh_at = None

    def _start(self) -> None:
        if self._thread is None:
            with self._starting:
                if self._thread is None:
                    self._last_fresh_at = time.monotonic()
                    self._thread = threading.Thread(target=self._run, name="replica lag", daemon=True)
                    self._thread.start()

    def _run(self) -> None:
        was_read = True
        while True:
            try:
                self._look()
            except Error as error:
                self._fresh_at = None
                log.warning("replica not read", action="replica", error=type(error).__name__)
            measures.REPLICA_LAG.set(time.monotonic() - self._last_fresh_at)
            is_read = self.may_be_read()
            if is_read != was_read:
                log.warning("replica is used again" if is_read else "lists read the primary", action="replica")
            was_read = is_read
            time.sleep(EVERY_SECONDS)

    def _look(self) -> None:
        now = time.monotonic()
        written = _ask(DEFAULT_DB_ALIAS, _PRIMARY)
        if written is not None:
            self._samples.append((now, written))
        applied = _ask(REPLICA, _REPLICA)
        behind = None if applied is None else staleness(self._samples, applied, now)
        self._fresh_at = None if behind is None else now - behind
        self._last_fresh_at = self._fresh_at or self._last_fresh_at


def _ask(alias: str, question: str) -> int | None:
    connection = connections[alias]
    try:
        with connection.cursor() as cursor:
            cursor.execute(question)
            answer: int | None = cursor.fetchone()[0]
            return answer
    finally:
        connection.close()  # back to the pool


watch = LagWatch()
