"""The statements on digests and their items."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Annotated, NamedTuple

from notifier.delivery.infra import bulk
from notifier.vocabulary.ids import new_id
from notifier.vocabulary.status import Mode

# ---- open ------------------------------------------------------------------------------------------------------------


class DigestKey(NamedTuple):
    """There is one open digest for each key of a tenant."""

    recipient_id: uuid.UUID
    category: str
    key: str
    mode: Mode


class OpenRow(NamedTuple):
    """A digest that is opened, or joined by further items. Fields are columns, in the order of SQL; `channels` are
    joined by commas."""

    id: Annotated[uuid.UUID, "uuid"]
    tenant_id: Annotated[uuid.UUID, "uuid"]
    recipient_id: Annotated[uuid.UUID, "uuid"]
    category: Annotated[str, "text"]
    key: Annotated[str, "text"]
    mode: Annotated[Mode, "text"]
    template: Annotated[str, "text"]
    max_items: Annotated[int, "integer"]
    items: Annotated[int, "integer"]
    opened_at: Annotated[datetime, "timestamptz"]
    closes_at: Annotated[datetime, "timestamptz"]
    latest_close: Annotated[datetime, "timestamptz"]
    channels: Annotated[str, "text"]


class ItemRow(NamedTuple):
    """One item; of a notification or of a campaign."""

    id: Annotated[uuid.UUID, "uuid"]
    tenant_id: Annotated[uuid.UUID, "uuid"]
    digest_id: Annotated[uuid.UUID, "uuid"]
    notification_id: Annotated[uuid.UUID | None, "uuid"]
    campaign_id: Annotated[uuid.UUID | None, "uuid"]
    created_at: Annotated[datetime, "timestamptz"]


_OPEN_COLUMNS = bulk.columns_of(OpenRow)
_ITEM_COLUMNS = bulk.columns_of(ItemRow)
_NAMES = ", ".join(name for name in _OPEN_COLUMNS if name != "channels")
_KEY = "recipient_id, category, key, mode"
# One statement opens a digest, or locks the open one and lets it slide; the digest says how as its newest item did. A
# digest that is due already does not slide: the sweep closes it in a moment. The rows are locked in the order of their
# keys, so that two bulk calls do not wait for each other
_OPEN = f"""
INSERT INTO notifier_digest AS d ({_NAMES}, channels, failure)
SELECT {_NAMES}, string_to_array(u.channels, ','), '' FROM {bulk.unnest("u", _OPEN_COLUMNS)} ORDER BY {_KEY}
ON CONFLICT (tenant_id, {_KEY}) WHERE closed_at IS NULL DO UPDATE SET
  items = d.items + EXCLUDED.items, template = EXCLUDED.template, channels = EXCLUDED.channels,
  max_items = EXCLUDED.max_items,
  closes_at = CASE WHEN d.closes_at > EXCLUDED.opened_at
    THEN GREATEST(d.closes_at, LEAST(EXCLUDED.closes_at, d.latest_close)) ELSE d.closes_at END
RETURNING d.id, d.recipient_id, d.category, d.key, d.mode
"""


def open_or_slide(rows: Sequence[OpenRow]) -> dict[DigestKey, uuid.UUID]:
    """Open the digests, or let the open ones of their keys slide and take further items; returns their ids. The rows
    stay locked until the end of the transaction."""
    with bulk.cursor() as cursor:
        cursor.execute(_OPEN, bulk.by_column(_OPEN_COLUMNS, rows), prepare=True)
        return {
            DigestKey(recipient_id, category, key, Mode(mode)): digest_id
            for digest_id, recipient_id, category, key, mode in cursor.fetchall()
        }


def add_items(rows: Sequence[ItemRow]) -> int:
    """Insert the items; returns how many were new. A campaign's message is one item, however often it is gathered."""
    return bulk.insert("notifier_digestitem", _ITEM_COLUMNS, rows, ignore_conflicts=True)


# ---- close -----------------------------------------------------------------------------------------------------------


class DueDigest(NamedTuple):
    """A digest that closes; its row is locked."""

    id: uuid.UUID
    tenant_id: uuid.UUID
    recipient_id: uuid.UUID
    category: str
    key: str
    mode: str
    template: str
    channels: list[str]
    max_items: int
    items: int
    latest_close: datetime


_DUE = "closed_at IS NULL AND closes_at <= %s"
# a loose scan: one probe of the index a tenant, where DISTINCT would read all open digests
_DUE_TENANTS = f"""
WITH RECURSIVE t (tenant_id) AS (
  (SELECT tenant_id FROM notifier_digest WHERE closed_at IS NULL ORDER BY tenant_id LIMIT 1)
  UNION ALL
  SELECT (SELECT d.tenant_id FROM notifier_digest d WHERE d.closed_at IS NULL AND d.tenant_id > t.tenant_id
          ORDER BY d.tenant_id LIMIT 1)
  FROM t WHERE t.tenant_id IS NOT NULL
)
SELECT tenant_id FROM t
WHERE (SELECT true FROM notifier_digest d WHERE d.tenant_id = t.tenant_id AND {_DUE} ORDER BY closes_at LIMIT 1)
"""
# several sweeps may run: each digest is closed by the one that locks its row
_CLAIM = f"""
SELECT {", ".join(DueDigest._fields)} FROM notifier_digest
WHERE tenant_id = %s AND {_DUE} ORDER BY closes_at LIMIT %s FOR UPDATE SKIP LOCKED
"""
_POSTPONE = "UPDATE notifier_digest SET closes_at = %s WHERE id = %s AND closed_at IS NULL"


def due_tenants(now: datetime) -> list[uuid.UUID]:
    """The tenants with a digest that is due."""
    with bulk.cursor() as cursor:
        cursor.execute(_DUE_TENANTS, [now])
        return [tenant_id for (tenant_id,) in cursor.fetchall()]


def claim_due(tenant_id: uuid.UUID, now: datetime, limit: int) -> list[DueDigest]:
    """Lock up to `limit` due digests of the tenant, those that were due first; none that another process has locked."""
    with bulk.cursor() as cursor:
        cursor.execute(_CLAIM, [tenant_id, now, limit])
        return [DueDigest._make(row) for row in cursor.fetchall()]


def postpone(digest_id: uuid.UUID, until: datetime) -> None:
    """Let an open digest close at another time."""
    with bulk.cursor() as cursor:
        cursor.execute(_POSTPONE, [until, digest_id])


class Closed(NamedTuple):
    """What became of a digest."""

    id: Annotated[uuid.UUID, "uuid"]
    notification_id: Annotated[uuid.UUID | None, "uuid"]
    failure: Annotated[str, "text"]


_CLOSED_COLUMNS = bulk.columns_of(Closed)
_CLOSE = f"""
WITH gone AS (DELETE FROM notifier_digestitem WHERE digest_id = ANY(%b::uuid[]))
UPDATE notifier_digest d SET closed_at = %s, notification_id = u.notification_id, failure = u.failure
FROM {bulk.unnest("u", _CLOSED_COLUMNS)} WHERE d.id = u.id
"""


def close(closed: Sequence[Closed], now: datetime) -> None:
    """Close the digests, and delete their items."""
    if closed:
        with bulk.cursor() as cursor:
            cursor.execute(_CLOSE, [[c.id for c in closed], now, *bulk.by_column(_CLOSED_COLUMNS, closed)])


def item_rows(tenant_id: uuid.UUID, items: Mapping[uuid.UUID, Collection[uuid.UUID]], now: datetime) -> list[ItemRow]:
    """The rows of these notifications, by digest."""
    return [
        ItemRow(new_id(), tenant_id, digest_id, notification_id, None, now)
        for digest_id, notifications in items.items()
        for notification_id in notifications
    ]
