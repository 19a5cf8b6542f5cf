"""SQL that merges staged rows into recipients and devices, in one transaction. An empty cell changes nothing."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson
from django.db import connection, transaction

from notifier.vocabulary.status import ConsentSource
from tenants.access import set_consent_source
from tenants.people.attributes import MAX_BYTES

# Rows with the same external_id become one row: of each field the last value that is not empty, and the attributes
# merged key by key at every level. A negative line marks a merged row.
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
# Each row alone is within the limit on attributes; merged with stored attributes or with other rows it may not be.
# PostgreSQL writes blanks that the limit does not count, so rows that it finds are measured again in Python.
_LARGE = f"""
SELECT abs(i.line), i.external_id, i.attributes::text, coalesce(r.attributes, '{{}}')::text FROM import_row i
LEFT JOIN tenants_recipient r ON r.tenant_id = %s AND r.external_id = i.external_id AND r.status <> 'erased'
WHERE (r.id IS NOT NULL OR i.line < 0)
  AND octet_length(i.attributes::text) + coalesce(octet_length(r.attributes::text), 0) > {MAX_BYTES}
ORDER BY abs(i.line)
"""
_REMOVE = (
    "DELETE FROM import_row WHERE external_id = ANY(%s)",
    "DELETE FROM import_device WHERE external_id = ANY(%s)",
)
# In the order of external_id, so that two writers lock rows in the same order. An unchanged row is not written, so that
# importing a file again costs no new row versions and no index work.
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
# The last row that names a token gets it, whatever its app. Unlike a call of the app, a file does not show that a token
# works: a dead token stays dead. It does show that the tenant still has the token: a live device of a tenant that only
# imports must not become stale, so `last_seen_at` follows, once in thirty days, so that importing a file again writes
# nothing. In the order of tokens, so that two writers lock devices in the same order.
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
    recipient_id = excluded.recipient_id, app = coalesce(nullif(excluded.app, ''), d.app),
    last_seen_at = CASE WHEN d.dead_since IS NULL AND d.last_seen_at < now() - interval '30 days'
                   THEN now() ELSE d.last_seen_at END
  WHERE d.recipient_id <> excluded.recipient_id OR excluded.app NOT IN ('', d.app)
    OR d.dead_since IS NULL AND d.last_seen_at < now() - interval '30 days'
  RETURNING 1
)
SELECT count(*) FROM done
"""

# The index over attributes took half of the time of an insert of 100,000 recipients while its pending list was flushed
# every 4 MB; with these settings it is flushed once.
_SETTINGS = "SET LOCAL work_mem = '64MB'; SET LOCAL gin_pending_list_limit = '1GB'"
_FLUSH = "SELECT gin_clean_pending_list('segment_attributes')"


class ErasedRow(NamedTuple):
    """A row whose recipient was erased."""

    line: int
    external_id: str


class TooLargeRow(NamedTuple):
    """A row whose recipient would have `size` bytes of attributes, more than the limit."""

    line: int
    external_id: str
    size: int


@dataclass(frozen=True)
class MergeResult:
    """`people` counts external ids; `devices` those that were added or changed."""

    people: int
    created: int
    updated: int
    devices: int
    erased: tuple[ErasedRow, ...]
    too_large: tuple[TooLargeRow, ...]


#: the function costs some microseconds a recipient; for attributes without levels the operator does the same
_FLAT, _NESTED = "r.attributes || excluded.attributes", "merge_attributes(r.attributes, excluded.attributes)"


def merge_staged_rows(tenant_id: uuid.UUID, *, nested: bool) -> MergeResult:
    """Merge the staged rows into the tenant's tables. `nested`: attributes have levels. A lock admits one import of a
    tenant at a time; two would wait for each other's rows anyway."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('tenants.imports'), hashtext(%s))", [str(tenant_id)])
        cursor.execute(_SETTINGS)
        set_consent_source(ConsentSource.IMPORT)
        cursor.execute(_REPEATED)
        if cursor.fetchone()[0]:
            cursor.execute(_MERGE)
            cursor.execute(_DROP_MERGED)
        too_large = _remove_too_large(cursor, tenant_id)
        cursor.execute("SELECT count(*) FROM import_row")
        people = cursor.fetchone()[0]
        cursor.execute(_ERASED, [tenant_id])
        erased = tuple(map(ErasedRow._make, cursor.fetchall()))
        cursor.execute(_PEOPLE.format(merged=_NESTED if nested else _FLAT), [tenant_id])
        created, updated = cursor.fetchone()
        cursor.execute(_DEVICES, [tenant_id, tenant_id])
        devices = cursor.fetchone()[0]
        cursor.execute(_FLUSH)
    return MergeResult(people, created, updated, devices, erased, too_large)


def _remove_too_large(cursor: Any, tenant_id: uuid.UUID) -> tuple[TooLargeRow, ...]:
    """Remove the staged rows whose attributes would exceed the limit once they are merged, and return them."""
    cursor.execute(_LARGE, [tenant_id])
    measured = [
        TooLargeRow(line, external_id, _merged_size(orjson.loads(stored), orjson.loads(new)))
        for line, external_id, new, stored in cursor.fetchall()
    ]
    too_large = tuple(row for row in measured if row.size > MAX_BYTES)
    if too_large:
        for statement in _REMOVE:
            cursor.execute(statement, [[row.external_id for row in too_large]])
    return too_large


def _merged_size(stored: Mapping[str, Any], new: Mapping[str, Any]) -> int:
    return len(orjson.dumps(merge_attributes(stored, new)))


def merge_attributes(stored: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """The same as the SQL function merge_attributes."""
    merged = {**stored}
    for key, value in new.items():
        before = merged.get(key)
        if isinstance(before, dict) and isinstance(value, dict):
            value = merge_attributes(before, value)
        merged[key] = value
    return merged


# A sample: 2,000 recipients of the file and the tenant's newest 2,000. A line of the report is not worth reading
# millions of rows.
_STORED_TYPES = """
SELECT {types} FROM (
  (SELECT r.attributes FROM (SELECT external_id FROM import_row LIMIT 2000) i
   JOIN tenants_recipient r ON r.tenant_id = %(tenant)s AND r.external_id = i.external_id)
  UNION ALL
  (SELECT attributes FROM tenants_recipient WHERE tenant_id = %(tenant)s ORDER BY id DESC LIMIT 2000)) looked_at
"""


def stored_attribute_types(tenant_id: uuid.UUID, paths: Sequence[tuple[str, ...]]) -> list[set[str]]:
    """For each path, the JSON types that a sample of the tenant's recipients has there."""
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
        return [set(path_types or ()) for path_types in cursor.fetchone()]
