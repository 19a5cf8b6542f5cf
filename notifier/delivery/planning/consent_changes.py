"""Who has changed their mind since a moment: of named recipients and addresses, or of a whole tenant when they are few,
so that who asks for a thousand recipients at once need not name them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from notifier.delivery.infra import bulk

#: a consent change of a transaction that began before, and committed after, the acceptance
OVERLAP = timedelta(minutes=10)

#: more than this are not few
MOST = 1_000

Changes = tuple[set[uuid.UUID], set[str]]  #: recipients, addresses

_CHANGED = """
SELECT recipient_id, address FROM tenants_consentchange
WHERE tenant_id = %s AND at >= %s AND (recipient_id = ANY(%b::uuid[]) OR address = ANY(%b::text[]))
"""
_FEW = "SELECT recipient_id, address FROM tenants_consentchange WHERE tenant_id = %s AND at >= %s LIMIT %s"


def changed_since(
    tenant_id: uuid.UUID, since: datetime, recipients: Sequence[uuid.UUID], addresses: Sequence[str]
) -> Changes:
    """Which of these recipients and addresses have a ConsentChange since `since`; one query, by the index on (tenant,
    at)."""
    with bulk.cursor() as cursor:
        cursor.execute(_CHANGED, [tenant_id, since - OVERLAP, list(recipients), list(addresses)], prepare=True)
        return _sides(cursor.fetchall())


def few_changes(tenant_id: uuid.UUID, since: datetime) -> Changes | None:
    """Recipients and addresses that have a ConsentChange since `since`; None when there are too many to say."""
    with bulk.cursor() as cursor:
        cursor.execute(_FEW, [tenant_id, since - OVERLAP, MOST + 1], binary=True)
        found = cursor.fetchall()
    return None if len(found) > MOST else _sides(found)


def _sides(found: Sequence[Sequence[Any]]) -> Changes:
    return {row[0] for row in found if row[0]}, {row[1] for row in found if row[1]}
