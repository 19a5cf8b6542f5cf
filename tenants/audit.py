"""The audit log: one row a decision, chained by SHA-256 so that a changed or missing row shows."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from django.db import connection, transaction

from tenants.models import AuditLog, User

GENESIS = bytes(32)
#: rows chained in one run; a run every 10 s then keeps up with 500 rows a second
BATCH = 5000

# Ids are given out before a transaction commits, so a row may appear behind one with a larger id. Only rows older than
# every running transaction are chained; the seconds cover the instant between taking an id and becoming a transaction.
_RIPE = """
SELECT id FROM tenants_auditlog
WHERE chain IS NULL AND at <= clock_timestamp() - make_interval(secs => %s)
  AND age(xmin) > age(pg_snapshot_xmin(pg_current_snapshot())::xid)
ORDER BY id LIMIT %s
"""
_STORE = """
UPDATE tenants_auditlog a SET chain = u.chain FROM unnest(%s::bigint[], %s::bytea[]) u(id, chain) WHERE a.id = u.id
"""


def record(
    tenant_id: uuid.UUID,
    action: str,
    object_id: object = "",
    detail: Mapping[str, Any] | None = None,
    user: User | None = None,
    api_key_id: uuid.UUID | None = None,
) -> AuditLog:
    """Write one row, in the caller's transaction. `detail` holds ids, names of fields and counts: no personal data."""
    return AuditLog.objects.create(
        tenant_id=tenant_id,
        action=action,
        object_id=str(object_id)[:64],
        detail=dict(detail or {}),
        user=user,
        api_key_id=api_key_id,
    )


def chain_batch(settled_seconds: float = 2.0) -> int:
    """Chain what is not chained yet, each tenant's rows to that tenant's last one. Returns how many. Engine role."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_xact_lock(hashtext('tenants.audit'))")
            if not cursor.fetchone()[0]:
                return 0
            cursor.execute(_RIPE, [settled_seconds, BATCH])
            ids = [row[0] for row in cursor.fetchall()]
        links = list(_links(AuditLog.objects.filter(id__in=ids).order_by("id")))
        with connection.cursor() as cursor:
            cursor.execute(_STORE, [[i for i, _ in links], [c for _, c in links]])
    return len(links)


def _links(rows: Any) -> Iterator[tuple[int, bytes]]:
    last: dict[uuid.UUID, bytes] = {}
    for row in rows:
        if row.tenant_id not in last:
            last[row.tenant_id] = _last_link(row.tenant_id)
        last[row.tenant_id] = link(last[row.tenant_id], row)
        yield row.id, last[row.tenant_id]


def _last_link(tenant_id: uuid.UUID) -> bytes:
    chained = AuditLog.objects.filter(tenant_id=tenant_id, chain__isnull=False)
    value = chained.order_by("-id").values_list("chain", flat=True).first()
    return GENESIS if value is None else bytes(value)


def link(previous: bytes, row: AuditLog) -> bytes:
    """SHA-256 of the previous link and the row in one canonical form."""
    canonical = [
        row.pk,
        str(row.tenant_id),
        row.user_id,
        str(row.api_key_id or ""),
        row.action,
        row.object_id,
        row.detail,
        row.at.isoformat(),
    ]
    return hashlib.sha256(previous + orjson.dumps(canonical, option=orjson.OPT_SORT_KEYS)).digest()


def verify(tenant_id: uuid.UUID) -> int | None:
    """The id of the first row that does not fit its predecessor, or None. Rows not chained yet do not count."""
    previous = GENESIS
    for row in AuditLog.objects.filter(tenant_id=tenant_id, chain__isnull=False).order_by("id").iterator(2000):
        expected = link(previous, row)
        if bytes(row.chain or b"") != expected:
            return row.pk
        previous = expected
    return None
