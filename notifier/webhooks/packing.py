"""Makes messages of the spool's rows: for each enabled endpoint those events that it wants, at most 100 in a message.

One worker packs a tenant's rows at a time, so messages are in the order of events. A message names its rows; the events
stay in the spool once, however many endpoints get them.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import orjson
import structlog
from django.db import DataError, Error, connection, transaction

from notifier.models import WebhookEndpoint, WebhookMessage, WebhookSpool
from notifier.vocabulary.ids import new_id
from notifier.vocabulary.webhooks import MAX_BATCH, matches

log = structlog.get_logger("notifier.webhooks")
#: rows of one transaction, tenants of one pass
ROWS, TENANTS = 500, 200
#: seconds after which `pack_all` ends: far less than a lease holds
SECONDS = 5.0
#: the events of one message happened within this time, so a replay knows how early a message may have begun
SPAN = timedelta(hours=1)
_TENANTS = "SELECT tenant_id FROM notifier_webhookspool WHERE NOT packed GROUP BY 1 ORDER BY min(created_at) LIMIT %s"
_LOCK = "SELECT pg_try_advisory_xact_lock(hashtext('webhooks'), hashtext(%s))"
_TYPES = "jsonb_path_query_array(events, '$[*].type')"
_ROWS = f"""
SELECT id, created_at, {_TYPES}::text FROM notifier_webhookspool
WHERE tenant_id = %s AND NOT packed ORDER BY created_at, id LIMIT %s FOR UPDATE SKIP LOCKED
"""


class SpoolRow(NamedTuple):
    """A row of the spool, with the types of its events."""

    id: uuid.UUID
    created_at: datetime
    types: Sequence[str]


class Batch(NamedTuple):
    """What one message has."""

    rows: list[SpoolRow]
    types: list[str]


def pack_all(seconds: float = SECONDS, between: Callable[[], object] = lambda: None) -> int:
    """Pack what waits, for so long at most; returns how many rows were packed. Tenants take turns of ROWS rows, and
    `between` is called after each turn. Engine role."""
    until = time.monotonic() + seconds
    packed = 0
    waiting = _waiting()
    while waiting:
        have_more = []
        for tenant_id in waiting:
            rows = _try(tenant_id)
            packed += rows
            if rows == ROWS:
                have_more.append(tenant_id)
            between()
            if time.monotonic() >= until:
                return packed
        waiting = have_more
    return packed


def _waiting() -> list[uuid.UUID]:
    with connection.cursor() as cursor:
        cursor.execute(_TENANTS, [TENANTS])
        return [row[0] for row in cursor.fetchall()]


def _try(tenant_id: uuid.UUID) -> int:
    """One tenant's rows that cannot be packed keep nobody else's."""
    try:
        return _pack(tenant_id)
    except Exception as error:
        if isinstance(error, Error) and not isinstance(error, DataError):
            raise  # the database is away
        log.exception("webhooks not packed", action="webhook", tenant=str(tenant_id))
        return 0


def _pack(tenant_id: uuid.UUID) -> int:
    with transaction.atomic():
        rows = _take(tenant_id)
        if rows:
            for endpoint in WebhookEndpoint.objects.filter(tenant_id=tenant_id, enabled=True):
                store(endpoint, batches(rows, endpoint.event_types))
            WebhookSpool.objects.filter(pk__in=[row.id for row in rows]).update(packed=True)
    return len(rows)


def _take(tenant_id: uuid.UUID) -> list[SpoolRow]:
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [str(tenant_id)])
        if not cursor.fetchone()[0]:
            return []
        cursor.execute(_ROWS, [tenant_id, ROWS])
        return [spool_row(*row) for row in cursor.fetchall()]


def spool_row(row_id: uuid.UUID, created_at: datetime, types: str) -> SpoolRow:
    return SpoolRow(row_id, created_at, orjson.loads(types))


def batches(rows: Iterable[SpoolRow], filters: Sequence[str]) -> Iterator[Batch]:
    """The rows that have events which fit the filters, grouped. Pure."""
    batch = Batch([], [])
    for row in rows:
        wanted = [name for name in row.types if matches(filters, name)]
        if not wanted:
            continue
        if batch.types and (
            len(batch.types) + len(wanted) > MAX_BATCH or row.created_at - batch.rows[0].created_at > SPAN
        ):
            yield batch
            batch = Batch([], [])
        batch.rows.append(row)
        batch.types.extend(wanted)
    if batch.types:
        yield batch


def store(endpoint: WebhookEndpoint, packed: Iterable[Batch], filters: Sequence[str] | None = None) -> int:
    """Store a message for each batch, due at once; returns how many."""
    now = datetime.now(UTC)
    messages = [
        WebhookMessage(
            id=new_id(),
            tenant_id=endpoint.tenant_id,
            endpoint_id=endpoint.pk,
            spool_ids=[row.id for row in batch.rows],
            filters=list(endpoint.event_types if filters is None else filters),
            event_types=sorted(set(batch.types)),
            events=len(batch.types),
            due_at=now,
            begun_at=now,
            created_at=batch.rows[0].created_at,
        )
        for batch in packed
    ]
    WebhookMessage.objects.bulk_create(messages, batch_size=1_000)
    return len(messages)
