"""Consent changes since a time: of named recipients and addresses, or of a whole tenant when they are few, so that a
caller with a thousand recipients need not name them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta

from notifier.delivery.infra import bulk

#: for a consent change whose transaction began before the acceptance and committed after it
OVERLAP = timedelta(minutes=10)

#: a tenant's changes are few up to this number
FEW = 1_000

Changes = tuple[set[uuid.UUID], set[str]]  #: recipients, addresses

_CHANGED = """
SELECT recipient_id, address FROM tenants_consentchange
WHERE tenant_id = %s AND at >= %s AND (recipient_id = ANY(%b::uuid[]) OR address = ANY(%b::text[]))
"""
_ALL_CHANGED = "SELECT recipient_id, address FROM tenants_consentchange WHERE tenant_id = %s AND at >= %s LIMIT %s"


def changed_since(
    tenant_id: uuid.UUID, since: datetime, recipients: Sequence[uuid.UUID], addresses: Sequence[str]
) -> Changes:
    """Which of these recipients and addresses have a ConsentChange since `since`; one query, by the index on (tenant,
    at)."""
    with bulk.cursor() as cursor:
        cursor.execute(_CHANGED, [tenant_id, since - OVERLAP, list(recipients), list(addresses)], prepare=True)
        return _changes(cursor.fetchall())


def few_changes(tenant_id: uuid.UUID, since: datetime) -> Changes | None:
    """Recipients and addresses that have a ConsentChange since `since`; None when they are more than FEW."""
    with bulk.cursor() as cursor:
        cursor.execute(_ALL_CHANGED, [tenant_id, since - OVERLAP, FEW + 1], binary=True)
        rows = cursor.fetchall()
    return None if len(rows) > FEW else _changes(rows)


def _changes(rows: Sequence[tuple[uuid.UUID | None, str]]) -> Changes:
    return {recipient_id for recipient_id, _ in rows if recipient_id}, {address for _, address in rows if address}
