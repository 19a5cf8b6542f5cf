"""Staged rows -> recipients and devices, set by set, in one transaction. An empty cell erases nothing."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from django.db import connection, transaction

from tenants.people.attributes import MAX_BYTES

# Rows of one external_id become one: the last value of each field that is not empty, attributes merged key by key at
# every level. A negative line marks them.
_REPEATED = "SELECT EXISTS (SELECT 1 FROM import_row GROUP BY external_id HAVING count(*) > 1)"
_MERGE = """
CREATE INDEX ON import_row (external_id);
INSERT INTO import_row
SELECT (array_agg(id))[1], -max(line), external_id,
       {last},
       merge_all_attributes(attributes ORDER BY line)
FROM import_row r GROUP BY external_id HAVING count(*) > 1
""".format(
    last=", ".join(
        f"coalesce((array_agg({f} ORDER BY line DESC) FILTER (WHERE {f} <> ''))[1], '')"
        for f in ("name", "email", "phone", "locale", "timezone")
    )
)
_DROP_MERGED = """
DELETE FROM import_row d USING import_row m WHERE m.line < 0 AND d.line > 0 AND d.external_id = m.external_id
"""
_ERASED = """
SELECT abs(i.line), i.external_id FROM import_row i
JOIN tenants_recipient r ON r.tenant_id = %s AND r.external_id = i.external_id WHERE r.status = 'erased'
ORDER BY abs(i.line)
"""
# A row alone is within the limit; with what is stored, or with other rows of the same person, it may not be. PostgreSQL
# writes blanks that the limit does not count, so that what it finds is measured once more.
_LARGE = f"""
SELECT abs(i.line), i.external_id, i.attributes::text, coalesce(r.attributes, '{{}}')::text FROM import_row i
LEFT JOIN tenants_recipient r ON r.tenant_id = %s AND r.external_id = i.external_id AND r.status <> 'erased'
WHERE (r.id IS NOT NULL OR i.line < 0)
  AND octet_length(i.attributes::text) + coalesce(octet_length(r.attributes::text), 0) > {MAX_BYTES}
ORDER BY abs(i.line)
"""
_LEAVE_OUT = (
    "DELETE FROM import_row WHERE external_id = ANY(%s)",
    "DELETE FROM import_device WHERE external_id = ANY(%s)",
)
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
    attributes = {merged},
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
class MergeResult:
    """What the merge did. `people` counts external ids; `devices` those added or moved to another recipient."""

    people: int
    created: int
    updated: int
    devices: int
    erased: tuple[tuple[int, str], ...]
    #: line, external id, and how many bytes of attributes the person would have had
    too_large: tuple[tuple[int, str, int], ...]


#: a call of the function costs some microseconds a person; without levels the operator does the same
_FLAT, _NESTED = "r.attributes || excluded.attributes", "merge_attributes(r.attributes, excluded.attributes)"


def merge_staged_rows(tenant_id: uuid.UUID, *, nested: bool) -> MergeResult:
    """Bring the staged rows into the tenant; `nested` when attributes have levels. One at a time per tenant; two would
    wait for each other's rows anyway."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('tenants.imports'), hashtext(%s))", [str(tenant_id)])
        cursor.execute(_SETTINGS)
        cursor.execute(_REPEATED)
        if cursor.fetchone()[0]:
            cursor.execute(_MERGE)
            cursor.execute(_DROP_MERGED)
        too_large = _remove_too_large(cursor, tenant_id)
        cursor.execute("SELECT count(*) FROM import_row")
        people = cursor.fetchone()[0]
        cursor.execute(_ERASED, [tenant_id])
        erased = tuple(cursor.fetchall())
        cursor.execute(_PEOPLE.format(merged=_NESTED if nested else _FLAT), [tenant_id])
        created, updated = cursor.fetchone()
        cursor.execute(_DEVICES, [tenant_id, tenant_id])
        devices = cursor.fetchone()[0]
        cursor.execute(_FLUSH)
    return MergeResult(people, created, updated, devices, erased, too_large)


def _remove_too_large(cursor: Any, tenant_id: uuid.UUID) -> tuple[tuple[int, str, int], ...]:
    """Take out whose attributes would exceed the limit once they are merged."""
    cursor.execute(_LARGE, [tenant_id])
    sizes = [
        (line, who, _size(orjson.loads(stored), orjson.loads(new))) for line, who, new, stored in cursor.fetchall()
    ]
    found = tuple(entry for entry in sizes if entry[2] > MAX_BYTES)
    if found:
        for statement in _LEAVE_OUT:
            cursor.execute(statement, [[who for _, who, _ in found]])
    return found


def _size(stored: Mapping[str, Any], new: Mapping[str, Any]) -> int:
    return len(orjson.dumps(merge_attributes(stored, new)))


def merge_attributes(stored: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """What the function merge_attributes of the database makes of them."""
    both = {**stored}
    for key, value in new.items():
        before = both.get(key)
        both[key] = merge_attributes(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return both


# People of the file and the tenant's newest are enough to see that an attribute had another type: all of millions would
# be read for a line of the report.
_STORED_TYPES = """
SELECT {types} FROM (
  (SELECT r.attributes FROM (SELECT external_id FROM import_row LIMIT 2000) i
   JOIN tenants_recipient r ON r.tenant_id = %(tenant)s AND r.external_id = i.external_id)
  UNION ALL
  (SELECT attributes FROM tenants_recipient WHERE tenant_id = %(tenant)s ORDER BY id DESC LIMIT 2000)) looked_at
"""


def stored_attribute_types(tenant_id: uuid.UUID, paths: Sequence[tuple[str, ...]]) -> list[set[str]]:
    """For each path the JSON types that some of the tenant's people have there."""
    if not paths:
        return []
    types = ", ".join(
        f"array_agg(DISTINCT t{n}) FILTER (WHERE t{n} IS NOT NULL)".replace(
            f"t{n}", f"jsonb_typeof(attributes #> %(p{n})s)"
        )
        for n in range(len(paths))
    )
    values: dict[str, Any] = {"tenant": tenant_id, **{f"p{n}": list(path) for n, path in enumerate(paths)}}
    with connection.cursor() as cursor:
        cursor.execute(_STORED_TYPES.format(types=types), values)
        return [set(found or ()) for found in cursor.fetchone()]
