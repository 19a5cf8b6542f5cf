"""Events on their way from a web process to a worker: gathered in memory, then stored with one statement.

An open is a statistic and no promise: what a killed web process had gathered, WRITE_SECONDS at most, is lost. In return
a flood of opens costs the database four statements a second and process, and not one transaction each.
"""

from __future__ import annotations

import atexit
import threading
import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, NamedTuple

import orjson
import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection

from notifier.delivery.infra import bulk
from notifier.vocabulary.ids import new_id
from tenants.access import scope

log = structlog.get_logger("notifier.engagement")

#: hits that wait in memory at most; 300 bytes each
MOST_WAITING = 20_000
#: events in one row
MOST_IN_BATCH = 2_000


class Hit(NamedTuple):
    """One event. `delivery` or `campaign`: 32 hexadecimal digits; `campaign` where no person is counted."""

    kind: str
    at: float  #: Unix time
    machine: bool = False
    delivery: str = ""
    campaign: str = ""
    url: str = ""


class BatchRow(NamedTuple):
    """One row of notifier_engagementbatch. Fields are columns, in the order of SQL."""

    id: Annotated[uuid.UUID, "uuid"]
    tenant_id: Annotated[uuid.UUID, "uuid"]
    channel: Annotated[str, "text"]
    events: Annotated[str, "text"]
    received_at: Annotated[datetime, "timestamptz"]
    due_at: Annotated[datetime, "timestamptz"]
    attempts: Annotated[int, "smallint"]


_COLUMNS = bulk.columns_of(BatchRow)


class Arrived(NamedTuple):
    """A hit, with the tenant and the channel of its message."""

    tenant_id: uuid.UUID
    channel: str
    hit: Hit


class HitBuffer:
    """Hits of one web process that are not stored yet. Threads share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Arrived] = []
        self._timer: threading.Timer | None = None
        self._dropped = 0
        self._flushes_at_exit = False

    def add(self, arrived: Arrived) -> None:
        """Keep a hit until the next write; drop it when too many wait, because the database is away."""
        seconds = settings.ENGAGEMENT_WRITE_SECONDS
        if not seconds:
            store([arrived])
            return
        with self._lock:
            if len(self._waiting) >= MOST_WAITING:
                self._dropped += 1
            else:
                self._waiting.append(arrived)
            if self._timer is None:
                self._start_timer(seconds)

    def flush(self) -> None:
        """Store what waits. Hits that cannot be stored, because the database is away, wait for the next write."""
        with self._lock:
            taken, self._waiting = self._waiting, []
            dropped, self._dropped = self._dropped, 0
        if dropped:
            log.warning("hits dropped", action="engagement", hits=dropped)
        try:
            store(taken)
        except (OperationalError, InterfaceError) as error:
            log.warning("hits not stored", action="engagement", hits=len(taken), error=type(error).__name__)
            with self._lock:
                self._waiting = [*taken, *self._waiting][:MOST_WAITING]

    def _start_timer(self, seconds: float) -> None:
        if not self._flushes_at_exit:
            self._flushes_at_exit = True
            atexit.register(self.flush)
        self._timer = threading.Timer(seconds, self._tick)
        self._timer.daemon = True
        self._timer.start()

    def _tick(self) -> None:
        try:
            self.flush()
        finally:
            connection.close()  # gives the connection back to the pool: each timer is a thread of its own
            with self._lock:
                self._timer = None
                if self._waiting:
                    self._start_timer(settings.ENGAGEMENT_WRITE_SECONDS)


buffer = HitBuffer()


def store(arrived: Iterable[Arrived]) -> None:
    """Store events for a worker, in a transaction of its own that sees their tenants only."""
    hits_of: defaultdict[uuid.UUID, defaultdict[str, list[Hit]]] = defaultdict(lambda: defaultdict(list))
    for tenant_id, channel, hit in arrived:
        hits_of[tenant_id][channel].append(hit)
    if hits_of:
        with scope(*hits_of):
            insert([row for tenant_id, of_tenant in hits_of.items() for row in rows_of(tenant_id, of_tenant)])


def rows_of(tenant_id: uuid.UUID, hits_of: Mapping[str, Sequence[Hit]]) -> list[BatchRow]:
    """The rows that hold a tenant's new events, given by channel."""
    now = datetime.now(UTC)
    return [
        BatchRow(new_id(), tenant_id, channel, pack(hits[at : at + MOST_IN_BATCH]), now, now, 0)
        for channel, hits in hits_of.items()
        for at in range(0, len(hits), MOST_IN_BATCH)
    ]


def insert(rows: Sequence[BatchRow]) -> None:
    """Insert rows in the transaction of the caller."""
    bulk.insert("notifier_engagementbatch", _COLUMNS, rows)


def pack(hits: Sequence[Hit]) -> str:
    return orjson.dumps([list(hit) for hit in hits]).decode()


def unpack(events: str) -> list[Hit]:
    return [Hit(*fields) for fields in orjson.loads(events)]
