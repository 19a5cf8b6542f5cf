"""A pool of connections that refuses quickly while the database is away, and recovers at once when it is back.

psycopg's pool lets a caller wait for its whole timeout while it cannot connect, and tries to connect ever more seldom:
after 1, 2, 4, 8 seconds and so on. Behind a caller that waits, others wait, and acceptances took 14 to 32 s after a
restart of PostgreSQL. Here callers wait for a busy database as long, in the order in which they came, but not for one
to which no connection can be made. A pool that cannot grow is busy while callers bring connections back that work.
"""

from __future__ import annotations

import time
from typing import Any

import psycopg
from psycopg_pool import ConnectionPool, PoolTimeout

#: seconds for which the database counts as away after an attempt to connect has failed, and for which a caller waits
#: meanwhile: many callers come one after the other
AWAY_SECONDS, AWAY_WAIT = 1.0, 0.05
#: seconds after which the pool gives an attempt to connect up; the next caller makes it try at once
RECONNECT_SECONDS = 1.0
#: a connection that worked within this part of those seconds says that the database is there. Less than the whole, so
#: that an attempt that is given up finds none of before
ALIVE_SHARE = 0.8


class QuickPool(ConnectionPool[psycopg.Connection[Any]]):
    """`timeout`: for a database that answers. A broken connection lets the pool replace all of them."""

    _away_until = _replaced_at = 0.0
    #: when a connection was last made, or came back and worked; 0 after one that was broken
    _worked_at = 0.0

    def getconn(self, timeout: float | None = None) -> psycopg.Connection[Any]:
        """A connection. Raises PoolTimeout: within a second and a half, where no connection can be made."""
        longest = self.timeout if timeout is None else timeout
        is_away = time.monotonic() < self._away_until
        return super().getconn(min(AWAY_WAIT, longest) if is_away else longest)

    def _connect(self, timeout: float | None = None) -> psycopg.Connection[Any]:
        """Connect, and learn from it whether the database is there."""
        try:
            connection = super()._connect(timeout)
        except Exception:
            if time.monotonic() - self._worked_at > self.reconnect_timeout * ALIVE_SHARE:
                self._away_until = time.monotonic() + AWAY_SECONDS
                self._refuse_waiting()
            raise
        self._worked_at, self._away_until = time.monotonic(), 0.0
        return connection

    def _refuse_waiting(self) -> None:
        """Let no caller wait for connections that nobody brings back."""
        with self._lock:
            waiting = list(self._waiting)
            self._waiting.clear()
        for client in waiting:
            client.fail(PoolTimeout("the database is away"))

    def putconn(self, conn: psycopg.Connection[Any]) -> None:
        """Take a connection back. When it is broken, so are the others of a server that has restarted: they are
        replaced, so that each of them does not fail a request."""
        broken = conn.broken
        self._worked_at = 0.0 if conn.closed else time.monotonic()
        super().putconn(conn)
        if broken and time.monotonic() - self._replaced_at > AWAY_SECONDS:
            self._replaced_at = time.monotonic()
            self.drain()
