"""Opt a recipient out of one category on one channel; the unsubscribe link of an email calls this."""

from __future__ import annotations

import uuid

from django.db import connection

from notifier.vocabulary.ids import new_id

# one statement: calls at once wait for the row, and each of them sees what the one before it stored
_OPT_OUT = """
INSERT INTO tenants_preference AS p
  (id, tenant_id, recipient_id, channels_off, categories_off, categories_on, preferred_channels, language, updated_at)
SELECT %(id)s, r.tenant_id, r.id, '{}', ARRAY[%(entry)s], '{}', '{}', '', now()
FROM tenants_recipient r WHERE r.id = %(recipient)s AND r.tenant_id = %(tenant)s AND r.status <> 'erased'
ON CONFLICT (recipient_id) DO UPDATE
SET categories_off = p.categories_off || excluded.categories_off, updated_at = excluded.updated_at
WHERE NOT p.categories_off && ARRAY[%(entry)s, %(category)s]::varchar[]
"""


def opt_out(tenant_id: uuid.UUID, recipient_id: uuid.UUID, channel: str, category: str) -> None:
    """Needs an open transaction in the tenant's scope. A repeat changes nothing, and neither does the link of a
    deleted or an erased recipient. A trigger writes the consent change."""
    values: dict[str, uuid.UUID | str] = {
        "id": new_id(),
        "tenant": tenant_id,
        "recipient": recipient_id,
        "category": category,
        "entry": f"{category}:{channel}",
    }
    with connection.cursor() as cursor:
        cursor.execute(_OPT_OUT, values)
