"""Who sends what: one worker holds an endpoint under a lease, and sends its oldest due message. One request an endpoint
at a time keeps the order of events, and keeps a slow server from more than one place among the requests in flight.
Endpoints that were served longest ago are first, across tenants."""

from __future__ import annotations

import uuid
from typing import NamedTuple

from django.db import connection

from notifier.models import WebhookMessage

#: seconds for which a claim holds: longer than a request may take
LEASE = 30
#: not now(), which in a transaction is its beginning
_NOW = "statement_timestamp()"
_CLAIM = f"""
WITH turn AS MATERIALIZED (
  SELECT e.id FROM notifier_webhookendpoint e JOIN tenants_tenant t ON t.id = e.tenant_id AND t.active
  WHERE e.enabled AND e.resume_at <= {_NOW} AND (e.lease_until IS NULL OR e.lease_until < {_NOW})
    AND EXISTS (SELECT FROM notifier_webhookmessage m
                WHERE m.endpoint_id = e.id AND m.state = {WebhookMessage.State.WAITING} AND m.due_at <= {_NOW})
  ORDER BY e.served_at LIMIT %s FOR UPDATE OF e SKIP LOCKED
), taken AS (
  UPDATE notifier_webhookendpoint e SET lease_until = {_NOW} + interval '{LEASE} s', fence = e.fence + 1,
    served_at = clock_timestamp()
  FROM turn WHERE e.id = turn.id RETURNING e.id, e.fence
)
SELECT t.id, t.fence, m.id FROM taken t CROSS JOIN LATERAL (
  SELECT m.id FROM notifier_webhookmessage m
  WHERE m.endpoint_id = t.id AND m.state = {WebhookMessage.State.WAITING} AND m.due_at <= {_NOW}
  ORDER BY m.created_at, m.id LIMIT 1) m
"""


class Claim(NamedTuple):
    """One message of an endpoint that this worker holds."""

    endpoint_id: uuid.UUID
    fence: int
    message_id: uuid.UUID


def claim(limit: int) -> list[Claim]:
    """The oldest due message of up to `limit` endpoints whose turn it is. Engine role."""
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, [limit])
        return [Claim._make(row) for row in cursor.fetchall()]
