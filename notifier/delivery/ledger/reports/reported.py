"""The statements of receipts: which deliveries events are about, and moving their statuses, a set at a time.

A receipt touches only rows of the account's own tenant and channel.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Annotated, Any, NamedTuple

from notifier.delivery.infra import bulk
from notifier.tracing.context import TRACEPARENT
from notifier.tracing.spans import MOST_LINKS
from notifier.vocabulary.ids import id_floor
from notifier.vocabulary.people import Address
from notifier.vocabulary.status import Reason, Status


class ReportedRow(NamedTuple):
    """What an event needs to know of its delivery. Fields are columns, in the order of SQL."""

    id: uuid.UUID
    recipient_id: uuid.UUID
    category: str
    address: str
    platform: str
    device_id: uuid.UUID | None
    status: int
    reason: str
    accepted_at: datetime
    settled_at: datetime | None

    @property
    def sent_at(self) -> datetime:
        return self.settled_at or self.accepted_at

    @property
    def full_address(self) -> Address:
        return Address(self.address, self.platform, self.device_id)


# the bounds let PostgreSQL skip the partitions of other months
_LOCK = f"""
SELECT {", ".join(ReportedRow._fields)} FROM notifier_delivery
WHERE id = ANY(%b::uuid[]) AND id >= %s AND id <= %s AND tenant_id = %s AND channel = %s
ORDER BY id FOR UPDATE
"""


def lock_rows(tenant_id: uuid.UUID, channel: str, ids: Collection[uuid.UUID]) -> list[ReportedRow]:
    """The tenant's rows with these ids on the channel, locked in the order of their ids."""
    if not ids:
        return []
    ordered = sorted(ids)
    with bulk.cursor() as cursor:
        cursor.execute(_LOCK, [ordered, ordered[0], ordered[-1], tenant_id, channel], binary=True, prepare=True)
        return [ReportedRow._make(row) for row in cursor.fetchall()]


# another message to the same address without a reference may be the one that the server has: two in doubt would both be
# told delivered where one arrived. An answer to an earlier question leaves no reference either
_IN_DOUBT = f"""
SELECT id, address, settled_at, content FROM notifier_delivery d
WHERE id = ANY(%b::uuid[]) AND id >= %s AND id <= %s AND tenant_id = %s AND channel = %s AND status = {Status.UNKNOWN}
  AND settled_at IS NOT NULL
  AND NOT EXISTS (
    SELECT FROM notifier_delivery o
    WHERE o.recipient_id = d.recipient_id AND o.tenant_id = d.tenant_id AND o.channel = d.channel AND o.id <> d.id
      AND o.address = d.address AND o.provider_ref = ''
      AND (o.content IS NULL OR o.content->>'text' IS NOT DISTINCT FROM d.content->>'text')
      AND o.status IN ({Status.CLAIMED}, {Status.SENDING}, {Status.UNKNOWN}, {Status.SENT}, {Status.DELIVERED})
      AND coalesce(o.settled_at, now()) > d.settled_at - interval '15 minutes')
"""


def in_doubt(
    tenant_id: uuid.UUID, channel: str, ids: Collection[uuid.UUID]
) -> list[tuple[uuid.UUID, str, datetime, dict[str, Any] | None]]:
    """Those of the tenant's rows that are in doubt and cannot be confused with another: id, address, end, content."""
    if not ids:
        return []
    ordered = sorted(ids)
    with bulk.cursor() as cursor:
        cursor.execute(_IN_DOUBT, [ordered, ordered[0], ordered[-1], tenant_id, channel], binary=True)
        return cursor.fetchall()


_BY_REF = """
SELECT provider_ref, id FROM notifier_delivery
WHERE provider_ref = ANY(%s) AND provider_ref <> '' AND platform = '' AND account_id = %s AND tenant_id = %s
"""


def find_by_ref(tenant_id: uuid.UUID, account_id: uuid.UUID, refs: Collection[str]) -> dict[str, uuid.UUID]:
    """Provider's reference -> delivery that this account sent."""
    if not refs:
        return {}
    with bulk.cursor() as cursor:
        cursor.execute(_BY_REF, [sorted(refs), account_id, tenant_id], binary=True)
        return dict(cursor.fetchall())


_KNOWN_REFS = """
SELECT provider_ref FROM notifier_delivery
WHERE provider_ref = ANY(%s) AND provider_ref <> '' AND platform = '' AND tenant_id = %s
"""


def known_refs(tenant_id: uuid.UUID, refs: Collection[str]) -> set[str]:
    """Those of the provider's references that deliveries of the tenant have."""
    if not refs:
        return set()
    with bulk.cursor() as cursor:
        cursor.execute(_KNOWN_REFS, [sorted(refs), tenant_id], binary=True)
        return {ref for (ref,) in cursor.fetchall()}


class Move(NamedTuple):
    """One row that goes on to a further status. Fields are columns, in the order of SQL."""

    id: Annotated[uuid.UUID, "uuid"]
    status: Annotated[int, "smallint"]
    reason: Annotated[str, "text"]
    detail: Annotated[str, "text"]


_MOVE_COLUMNS = bulk.columns_of(Move)
# `settled_at` stays the time of the provider's answer: reports measure times from it. A message in doubt has a dead
# letter; once a provider says that it took the message, nothing is left to send again
_MOVE = f"""
WITH moved AS (
  UPDATE notifier_delivery d SET status = m.status, reason = m.reason, detail = m.detail
  FROM {bulk.unnest("m", _MOVE_COLUMNS)}
  WHERE d.id = m.id AND d.id >= %s AND d.id <= %s RETURNING d.id
)
DELETE FROM notifier_deadletter l USING moved WHERE l.delivery_id = moved.id AND l.redriven_at IS NULL
"""


def move(rows: Sequence[Move]) -> None:
    """Write the statuses of locked rows, in one statement."""
    if rows:
        ordered = sorted(rows)
        with bulk.cursor() as cursor:
            columns = bulk.by_column(_MOVE_COLUMNS, ordered)
            cursor.execute(_MOVE, [*columns, ordered[0].id, ordered[-1].id], prepare=True)


_SOFT_BOUNCES = f"""
SELECT recipient_id, address FROM notifier_delivery
WHERE recipient_id = ANY(%s) AND id >= %s AND tenant_id = %s AND channel = %s
  AND status = {Status.BOUNCED} AND reason = '{Reason.SOFT_BOUNCE}'
GROUP BY recipient_id, address HAVING count(*) >= %s
"""


def often_bounced(
    tenant_id: uuid.UUID, channel: str, recipients: Collection[uuid.UUID], since: datetime, times: int
) -> set[tuple[uuid.UUID, str]]:
    """(recipient, address) of those recipients' addresses from which so many messages came back since then."""
    if not recipients:
        return set()
    low = id_floor(int(since.timestamp() * 1000))
    with bulk.cursor() as cursor:
        cursor.execute(_SOFT_BOUNCES, [sorted(recipients), low, tenant_id, channel, times], binary=True)
        return set(cursor.fetchall())


_TRACES = """
SELECT content ->> 'traceparent' FROM notifier_delivery
WHERE id = ANY(%b::uuid[]) AND id BETWEEN %b::uuid AND %b::uuid AND content ? 'traceparent' LIMIT %b::integer
"""


def contents_with_trace(ids: Sequence[uuid.UUID]) -> list[dict[str, str]]:
    """What the first of these rows carry of traces. Asked only while traces are recorded."""
    if not ids:
        return []
    with bulk.cursor() as cursor:
        cursor.execute(_TRACES, [list(ids), min(ids), max(ids), MOST_LINKS], binary=True)
        return [{TRACEPARENT: header} for (header,) in cursor.fetchall()]
