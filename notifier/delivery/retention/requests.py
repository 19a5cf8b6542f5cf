"""Requests with their messages, of one tenant: what is older than the tenant keeps it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from notifier.delivery.ledger.history import not_before
from notifier.delivery.retention import rows
from notifier.delivery.retention.counts import COUNT_REQUESTS
from notifier.vocabulary.ids import id_floor
from tenants.retention.periods import Cutoffs
from tenants.retention.registry import Amount, Pace

_OLD = "n.tenant_id = %(tenant)s AND n.id > %(after)s AND n.id < %(floor)s"
_BATCH = f"SELECT n.id FROM notifier_notification n WHERE {_OLD} ORDER BY n.id LIMIT %(batch)s FOR UPDATE SKIP LOCKED"
_MESSAGES = """
SELECT id, notification_id FROM notifier_delivery WHERE notification_id = ANY(%(ids)s) AND id >= %(low)s
"""
_ROUTES_UNDER_WAY = """
SELECT notification_id FROM notifier_route WHERE notification_id = ANY(%(ids)s) AND due_at IS NOT NULL
"""
_ROUTES = "DELETE FROM notifier_route WHERE notification_id = ANY(%(ids)s)"
_DELETE = f"""
WITH gone AS (DELETE FROM notifier_notification WHERE id = ANY(%(ids)s) RETURNING tenant_id, created_at)
{COUNT_REQUESTS}
"""
_ENDED = f"""
{_OLD} AND NOT EXISTS (SELECT FROM notifier_delivery d WHERE d.notification_id = n.id AND {rows.STAYS})
AND NOT EXISTS (SELECT FROM notifier_route r WHERE r.notification_id = n.id AND r.due_at IS NOT NULL)
"""
_SIZE = "count(*), coalesce(sum(pg_column_size({row}.*)), 0)"
_PREVIEWS = {
    "notifier_notification": f"SELECT {_SIZE.format(row='n')} FROM notifier_notification n WHERE {_ENDED}",
    "notifier_delivery": f"""
        SELECT {_SIZE.format(row="m")} FROM notifier_notification n
        JOIN notifier_delivery m ON m.notification_id = n.id WHERE {_ENDED}""",
    "notifier_deliveryevent": f"""
        SELECT {_SIZE.format(row="e")} FROM notifier_notification n
        JOIN notifier_delivery m ON m.notification_id = n.id JOIN notifier_deliveryevent e ON e.delivery_id = m.id
        WHERE {_ENDED}""",
}


@dataclass(frozen=True)
class Requests:
    """The remover (tenants.retention.registry). A request stays while one of its messages or its route is under way."""

    name: str = "requests"

    def preview(self, cutoffs: Cutoffs) -> Iterator[Amount]:
        values = _values(cutoffs.tenant_id, cutoffs.rows)
        with connection.cursor() as cursor:
            for table, statement in _PREVIEWS.items():
                cursor.execute(statement, values)
                yield Amount(table, *map(int, cursor.fetchone()))

    def remove(self, cutoffs: Cutoffs, pace: Pace) -> int:
        values = {**_values(cutoffs.tenant_id, cutoffs.rows), "batch": pace.batch}
        removed = 0
        while pace.may_go_on():
            with transaction.atomic():
                with connection.cursor() as cursor:
                    cursor.execute(_BATCH, values)
                    ids = [row[0] for row in cursor.fetchall()]
                if ids:
                    removed += _delete(ids, cutoffs.rows)
            if len(ids) < pace.batch:
                break
            values["after"] = ids[-1]
        return removed


def _values(tenant_id: uuid.UUID, cutoff: datetime) -> dict[str, Any]:
    floor = id_floor(int(cutoff.timestamp() * 1000))
    return {"tenant": tenant_id, "cutoff": cutoff, "floor": floor, "after": id_floor(0)}


def _delete(ids: Sequence[uuid.UUID], cutoff: datetime) -> int:
    """Delete those of these requests that are over; returns the number of rows."""
    with connection.cursor() as cursor:
        cursor.execute(_ROUTES_UNDER_WAY, {"ids": list(ids)})
        under_way = {row[0] for row in cursor.fetchall()}
        cursor.execute(_MESSAGES, {"ids": list(ids), "low": not_before(ids)})
        request_of = dict(cursor.fetchall())
    existing, stay = rows.lock(list(request_of), cutoff)
    under_way |= {request_of[delivery_id] for delivery_id in stay}
    over = [request_id for request_id in ids if request_id not in under_way]
    removed: int = rows.delete([delivery_id for delivery_id in existing if request_of[delivery_id] not in under_way])
    with connection.cursor() as cursor:
        cursor.execute(_ROUTES, {"ids": over})
        removed += cursor.rowcount
        cursor.execute(_DELETE, {"ids": over})
    return int(removed) + len(over)
