"""The consent changes of a tenant since a moment, when they are few: who asks for a thousand recipients at once
need not name them."""

from __future__ import annotations

import uuid
from datetime import datetime

from notifier.delivery import bulk
from notifier.delivery.recheck import OVERLAP

#: more than this are not few
MOST = 1_000

_FEW = "SELECT recipient_id, address FROM tenants_consentchange WHERE tenant_id = %s AND at >= %s LIMIT %s"


def few_changes(tenant_id: uuid.UUID, since: datetime) -> tuple[set[uuid.UUID], set[str]] | None:
    """Recipients and addresses that have a ConsentChange since `since`; None when there are too many to say."""
    with bulk.cursor() as cursor:
        cursor.execute(_FEW, [tenant_id, since - OVERLAP, MOST + 1], binary=True)
        found = cursor.fetchall()
    if len(found) > MOST:
        return None
    return {row[0] for row in found if row[0]}, {row[1] for row in found if row[1]}
