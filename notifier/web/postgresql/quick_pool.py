"""A pool of connections that refuses quickly while the database is away, and recovers at once when it is back.

psycopg's pool lets a caller wait for its whole timeout while it cannot connect, and tries to connect ever more seldom:
after 1, 2, 4, 8 seconds and so on. Behind a caller that waits, others wait, and acceptances took 14 to 32 s after a
restart of PostgreSQL. Here a caller waits for a busy database as long, but not for one to which no connection can be
made.
"""

from __future__ import annotations

import time
from typing import Any

import psycopg
from psycopg_pool import ConnectionPool, PoolTimeout

#: seconds after which a waiting caller asks whether connecting has failed meanwhile
LOOK_AFTER = 0.5
#: seconds for which a failed attempt counts, and for which a caller waits meanwhile: many callers come one after the
#: other
AWAY_SECONDS, AWAY_WAIT = 1.0, 0.05
#: seconds after which the pool gives an attempt to connect up; the next caller makes it try at once
RECONNECT_SECONDS = 1.0


class QuickPool(ConnectionPool[psycopg.Connection[Any]]):
    """`timeout`: for a database that answers. A broken connection lets the pool replace all of them."""

    _failures = 0
    _away_until = _replaced_at = 0.0

    def getconn(self, timeout: float | None = None) -> psycopg.Connection[Any]:
        """A connection. Raises PoolTimeout: within a second and a half, where no connection can be made."""
        until = time.monotonic() + (self.timeout if timeout is None else timeout)
        while True:
            now = time.monotonic()
            is_away = now < self._away_until
            try:
                connection = super().getconn(min(AWAY_WAIT if is_away else LOOK_AFTER, max(until - now, 0.001)))
            except PoolTimeout:
                if self._has_failed() or is_away or time.monotonic() >= until:
                    raise
            else:
                if self._away_until:
                    self._has_failed()  # what failed until now is over
                    self._away_until = 0.0
                return connection

    def _has_failed(self) -> bool:
        """Whether an attempt to connect has failed since the last time that a caller waited."""
        failures = self.get_stats().get("connections_errors", 0)
        has_failed, self._failures = failures > self._failures, failures
        if has_failed:
            self._away_until = time.monotonic() + AWAY_SECONDS
        return has_failed

    def putconn(self, conn: psycopg.Connection[Any]) -> None:
        """Take a connection back. When it is broken, so are the others of a server that has restarted: they are
        replaced, so that each of them does not fail a request."""
        broken = conn.broken
        super().putconn(conn)
        if broken and time.monotonic() - self._replaced_at > AWAY_SECONDS:
            self._replaced_at = time.monotonic()
            self.drain()
