"""The audit log: one row for each decision, chained by SHA-256, so that a changed or missing row is detected.

Rows that were cut off the end of a chain are detected by chain heads kept outside of the database: tenants.audit_heads.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from django.db import connection, transaction

from tenants.models import AuditLog, Tenant, User

GENESIS = bytes(40)
#: rows chained in one run; one run every 10 s keeps up with 500 rows a second
BATCH = 5000

# Ids are assigned before a transaction commits, so rows appear out of order. The chain therefore has its own order:
# `chain` is the row's position in its tenant's chain (8 bytes, so that the column sorts by it) and the SHA-256.
POSITION = 8
_UNCHAINED = "SELECT id FROM tenants_auditlog WHERE chain IS NULL ORDER BY id LIMIT %s"
_STORE = """
UPDATE tenants_auditlog a SET chain = u.chain FROM unnest(%s::bigint[], %s::bytea[]) u(id, chain) WHERE a.id = u.id
"""


@dataclass(frozen=True)
class Actor:
    """Who made a change: a user of the admin, a tenant's API key, or neither (a command, or the system itself)."""

    user: User | None = None
    api_key_id: uuid.UUID | None = None


def record(
    tenant_id: uuid.UUID,
    action: str,
    object_id: object = "",
    detail: Mapping[str, Any] | None = None,
    by: Actor | None = None,
) -> AuditLog:
    """Store one row in the caller's transaction. `detail` holds ids, names of fields and counts: no personal data."""
    return AuditLog.objects.create(
        tenant_id=tenant_id,
        action=action,
        object_id=str(object_id)[:64],
        detail=dict(detail or {}),
        user=by.user if by else None,
        api_key_id=by.api_key_id if by else None,
    )


def record_for_every_tenant(action: str, detail: Mapping[str, Any] | None = None, by: Actor | None = None) -> None:
    """Store one row for each tenant in the caller's transaction: a decision about the whole installation."""
    values = {"action": action, "detail": dict(detail or {}), "user": by.user if by else None}
    tenants = Tenant.objects.order_by("pk").values_list("pk", flat=True)
    AuditLog.objects.bulk_create([AuditLog(tenant_id=pk, **values) for pk in tenants], batch_size=1_000)


def chain_batch() -> int:
    """Chain the rows that are not chained yet, each tenant's to that tenant's last link. Returns how many. Engine
    role."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtext('tenants.audit'))")
        if not cursor.fetchone()[0]:
            return 0
        cursor.execute(_UNCHAINED, [BATCH])
        ids = [row[0] for row in cursor.fetchall()]
        links = list(_links(AuditLog.objects.filter(id__in=ids).order_by("id")))
        cursor.execute(_STORE, [[i for i, _ in links], [c for _, c in links]])
    return len(links)


def _links(rows: Iterable[AuditLog]) -> Iterator[tuple[int, bytes]]:
    """(id, link) of each row."""
    last: dict[uuid.UUID, bytes] = {}
    for row in rows:
        previous = last.get(row.tenant_id) or _last_link(row.tenant_id)
        last[row.tenant_id] = next_link(previous, row)
        yield row.pk, last[row.tenant_id]


def _last_link(tenant_id: uuid.UUID) -> bytes:
    chained = AuditLog.objects.filter(tenant_id=tenant_id, chain__isnull=False)
    value = chained.order_by("-chain").values_list("chain", flat=True).first()
    return GENESIS if value is None else bytes(value)


def next_link(previous: bytes, row: AuditLog) -> bytes:
    """The next position, and the SHA-256 of the previous link and the row's canonical form."""
    position = int.from_bytes(previous[:POSITION], "big") + 1
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
    digest = hashlib.sha256(previous + orjson.dumps(canonical, option=orjson.OPT_SORT_KEYS)).digest()
    return position.to_bytes(POSITION, "big") + digest


def first_broken_row(tenant_id: uuid.UUID) -> int | None:
    """The id of the first row that does not fit its predecessor, or None. Ignores rows that are not chained yet."""
    previous = GENESIS
    for row in AuditLog.objects.filter(tenant_id=tenant_id, chain__isnull=False).order_by("chain").iterator(2000):
        expected = next_link(previous, row)
        if bytes(row.chain or b"") != expected:
            return row.pk
        previous = expected
    return None
