"""Staged rows -> recipients and devices, set by set, in one transaction. An empty cell erases nothing."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from django.db import connection, transaction

# Rows of one external_id become one: the last value of each field that is not empty, attributes merged key by key.
_REPEATED = "SELECT EXISTS (SELECT 1 FROM import_row GROUP BY external_id HAVING count(*) > 1)"
_MERGE = """
CREATE INDEX ON import_row (external_id);
INSERT INTO import_row
SELECT (array_agg(id))[1], 0, external_id,
       {last},
       (SELECT coalesce(jsonb_object_agg(e.key, e.value ORDER BY d.line), '{{}}')
          FROM import_row d, jsonb_each(d.attributes) e WHERE d.external_id = r.external_id)
FROM import_row r GROUP BY external_id HAVING count(*) > 1
""".format(
    last=", ".join(
        f"coalesce((array_agg({f} ORDER BY line DESC) FILTER (WHERE {f} <> ''))[1], '')"
        for f in ("name", "email", "phone", "locale", "timezone")
    )
)
_DROP_MERGED = """
DELETE FROM import_row d USING import_row m WHERE m.line = 0 AND d.line > 0 AND d.external_id = m.external_id
"""
_ERASED = """
SELECT i.line, i.external_id FROM import_row i
JOIN tenants_recipient r ON r.tenant_id = %s AND r.external_id = i.external_id WHERE r.status = 'erased'
ORDER BY i.line
"""
# In the order of external_id, so that two writers lock rows in the same order; a row that would stay as it is is not
# written, so that importing the same file again costs no new row versions and no index work.
_PEOPLE = """
WITH done AS (
  INSERT INTO tenants_recipient AS r (id, tenant_id, external_id, name, email, phone, locale, timezone, attributes,
                                      status, created_at, updated_at)
  SELECT id, %s, external_id, name, email, phone, locale, timezone, attributes, 'active', now(), now()
  FROM import_row ORDER BY external_id
  ON CONFLICT (tenant_id, external_id) DO UPDATE SET
    name = coalesce(nullif(excluded.name, ''), r.name),
    email = coalesce(nullif(excluded.email, ''), r.email),
    phone = coalesce(nullif(excluded.phone, ''), r.phone),
    locale = coalesce(nullif(excluded.locale, ''), r.locale),
    timezone = coalesce(nullif(excluded.timezone, ''), r.timezone),
    attributes = r.attributes || excluded.attributes,
    updated_at = now()
  WHERE r.status <> 'erased' AND (
       excluded.name NOT IN ('', r.name) OR excluded.email NOT IN ('', r.email)
    OR excluded.phone NOT IN ('', r.phone) OR excluded.locale NOT IN ('', r.locale)
    OR excluded.timezone NOT IN ('', r.timezone) OR NOT r.attributes @> excluded.attributes)
  RETURNING (xmax = 0) AS created
)
SELECT count(*) FILTER (WHERE created), count(*) FILTER (WHERE NOT created) FROM done
"""
# The last row that names a token has it, whatever its app. A list is no sign of life, the app's own call is: a dead
# token stays dead, and when a known token was last seen does not change. In the order of tokens, so that two writers
# lock devices in the same order.
_DEVICES = """
WITH latest AS (
  SELECT DISTINCT ON (d.platform, d.token) d.id, r.id AS recipient_id, d.platform, d.app, d.token
  FROM import_device d
  JOIN tenants_recipient r ON r.tenant_id = %s AND r.external_id = d.external_id AND r.status <> 'erased'
  ORDER BY d.platform, d.token, d.line DESC
), done AS (
  INSERT INTO tenants_device AS d (id, tenant_id, recipient_id, platform, token, app, created_at, last_seen_at)
  SELECT id, %s, recipient_id, platform, token, app, now(), now() FROM latest
  ON CONFLICT (tenant_id, platform, token) DO UPDATE SET
    recipient_id = excluded.recipient_id, app = coalesce(nullif(excluded.app, ''), d.app)
  WHERE d.recipient_id <> excluded.recipient_id OR excluded.app NOT IN ('', d.app)
  RETURNING 1
)
SELECT count(*) FROM done
"""


# The index over attributes took half of the time of an insert of 100,000 people while its pending list was flushed
# every 4 MB; now it is flushed once.
_SETTINGS = "SET LOCAL work_mem = '64MB'; SET LOCAL gin_pending_list_limit = '1GB'"
_FLUSH = "SELECT gin_clean_pending_list('segment_attributes')"


@dataclass(frozen=True)
class Merged:
    """What the merge did. `people` counts external ids; `devices` those added or moved to another recipient."""

    people: int
    created: int
    updated: int
    devices: int
    erased: tuple[tuple[int, str], ...]


def merge(tenant_id: uuid.UUID) -> Merged:
    """Bring the staged rows into the tenant. One at a time per tenant; two would wait for each other's rows anyway."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('tenants.imports'), hashtext(%s))", [str(tenant_id)])
        cursor.execute(_SETTINGS)
        cursor.execute(_REPEATED)
        if cursor.fetchone()[0]:
            cursor.execute(_MERGE)
            cursor.execute(_DROP_MERGED)
        cursor.execute("SELECT count(*) FROM import_row")
        people = cursor.fetchone()[0]
        cursor.execute(_ERASED, [tenant_id])
        erased = tuple(cursor.fetchall())
        cursor.execute(_PEOPLE, [tenant_id])
        created, updated = cursor.fetchone()
        cursor.execute(_DEVICES, [tenant_id, tenant_id])
        devices = cursor.fetchone()[0]
        cursor.execute(_FLUSH)
    return Merged(people, created, updated, devices, erased)
