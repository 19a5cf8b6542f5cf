"""One event about something else than a message: a campaign, a quota."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

import orjson

from notifier.delivery.infra import bulk
from notifier.delivery.webhooks.subscriptions import wanted
from notifier.vocabulary.webhooks import EventType

_RECORD = "SELECT spool_webhook_event(%s::uuid, %s::text, clock_timestamp(), %s::jsonb)"


def record(tenant_id: uuid.UUID, event_type: EventType, data: Mapping[str, Any]) -> None:
    """Store one event in the caller's transaction, if an endpoint of the tenant wants it. `data`: JSON with ids, names
    and counts, without content and addresses."""
    if event_type in wanted(tenant_id):
        with bulk.cursor() as cursor:
            cursor.execute(_RECORD, [tenant_id, str(event_type), orjson.dumps(dict(data)).decode()])


def warn_of_quota(tenant_id: uuid.UUID, quota: str, used: int, allowed: int) -> None:
    """Tell that a tenant has used much of a quota; whoever counts the quota calls this, in its transaction."""
    record(tenant_id, EventType.QUOTA_WARNING, {"quota": quota, "used": used, "allowed": allowed})
