"""The items of due digests: which messages wait for them, which of those are left to send, and the items' data."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from notifier.delivery.digests.rows import DueDigest
from notifier.delivery.infra import bulk
from notifier.delivery.ledger.history import not_before
from notifier.vocabulary.status import TAKEN, QueuePosition, Reason, Status

#: bytes of the data of a digest's items together: the newest items that fit are rendered, and `count` has them all
MOST_BYTES = 256 * 1024

#: which of these in-app messages the recipient has read
ReadLookup = Callable[[Sequence[uuid.UUID]], Collection[uuid.UUID]]
#: name and data of those of these campaigns whose messages may leave
CampaignLookup = Callable[[Collection[uuid.UUID]], Mapping[uuid.UUID, Mapping[str, Any]]]
_read_lookups: list[ReadLookup] = []
_campaign_lookups: list[CampaignLookup] = []


def register_read_lookup(lookup: ReadLookup) -> None:
    """The inbox is an app above the engine: it registers what tells read messages in `AppConfig.ready`."""
    _read_lookups[:] = [lookup]


def register_campaign_lookup(lookup: CampaignLookup) -> None:
    """Campaigns are an app above the engine: they register what gives the items of campaigns in `AppConfig.ready`."""
    _campaign_lookups[:] = [lookup]


class WaitingRow(NamedTuple):
    """A message that waits for its digest; its row in the ledger is locked."""

    digest_id: uuid.UUID
    id: uuid.UUID
    notification_id: uuid.UUID
    channel: str
    not_after: datetime | None


@dataclass
class Content:
    """What one digest has to send. `ended`: rows that are left out, with status, reason and detail."""

    rows: list[WaitingRow] = field(default_factory=list)
    ended: list[tuple[WaitingRow, Status, Reason, str]] = field(default_factory=list)
    items: list[tuple[datetime, dict[str, Any]]] = field(default_factory=list)  #: the newest with their times, in order
    count: int = 0  #: of all
    of_campaigns: bool = False

    @property
    def channels(self) -> set[str]:
        return {row.channel for row in self.rows}


_WAITING = f"""
SELECT i.digest_id, d.id, d.notification_id, d.channel, d.not_after
FROM notifier_digestitem i JOIN notifier_delivery d ON d.notification_id = i.notification_id
WHERE i.digest_id = ANY(%s) AND d.id >= %s AND d.status = {Status.QUEUED}
  AND d.queue_position = {QueuePosition.IN_DIGEST}
ORDER BY d.id FOR UPDATE OF d
"""
_OLDEST = "SELECT min(notification_id::text)::uuid FROM notifier_digestitem WHERE digest_id = ANY(%s)"
_TAKEN = ", ".join(str(int(status)) for status in TAKEN)
_IN_APP = f"""
SELECT id, notification_id FROM notifier_delivery
WHERE notification_id = ANY(%s) AND id >= %s AND channel = 'in_app' AND status IN ({_TAKEN})
"""
# the newest of each digest whose data have MOST_BYTES together
_DATA = f"""
SELECT digest_id, id, created_at, data FROM (
  SELECT i.digest_id, n.id, n.created_at, n.data::text AS data,
    sum(octet_length(n.data::text)) OVER (PARTITION BY i.digest_id ORDER BY n.id DESC) AS so_far
  FROM unnest(%s::uuid[], %s::uuid[]) AS i (digest_id, notification_id)
  JOIN notifier_notification n ON n.id = i.notification_id) newest
WHERE so_far <= {MOST_BYTES} ORDER BY id
"""
_OF_CAMPAIGNS = """
SELECT digest_id, campaign_id, created_at FROM notifier_digestitem
WHERE digest_id = ANY(%s) AND campaign_id IS NOT NULL ORDER BY created_at
"""


def load_contents(digests: Sequence[DueDigest], now: datetime) -> dict[uuid.UUID, Content]:
    """What each digest has to send. Locks the rows that wait for the digests."""
    contents = {digest.id: Content() for digest in digests}
    _sort_rows(contents, _waiting_rows(list(contents)), now)
    newest = {d.id: _newest(contents[d.id], d.max_items) for d in digests}
    _add_data(contents, newest)
    _add_campaigns(contents)
    for digest in digests:
        content = contents[digest.id]
        content.items = sorted(content.items, key=lambda item: item[0])[-digest.max_items :]
    return contents


def _waiting_rows(digest_ids: list[uuid.UUID]) -> list[WaitingRow]:
    with bulk.cursor() as cursor:
        cursor.execute(_OLDEST, [digest_ids])
        [oldest] = cursor.fetchone() or [None]
        if oldest is None:
            return []
        cursor.execute(_WAITING, [digest_ids, not_before([oldest])])
        return [WaitingRow._make(row) for row in cursor.fetchall()]


def _sort_rows(contents: Mapping[uuid.UUID, Content], waiting: Sequence[WaitingRow], now: datetime) -> None:
    """Which rows are items, and how the others end."""
    read = _read_notifications({row.notification_id for row in waiting})
    for row in waiting:
        content = contents[row.digest_id]
        if row.not_after is not None and row.not_after <= now:
            content.ended.append((row, Status.EXPIRED, Reason.NOT_AFTER, ""))
        elif row.notification_id in read:
            content.ended.append((row, Status.SUPPRESSED, Reason.NOT_NEEDED, "read in the inbox"))
        else:
            content.rows.append(row)


def _read_notifications(notifications: Collection[uuid.UUID]) -> set[uuid.UUID]:
    """Those of the notifications that their recipients have read in the inbox."""
    if not notifications or not _read_lookups:
        return set()
    with bulk.cursor() as cursor:
        cursor.execute(_IN_APP, [list(notifications), not_before(notifications)])
        notification_of = dict(cursor.fetchall())
    return {notification_of[pk] for pk in _read_lookups[0](sorted(notification_of))} if notification_of else set()


def _newest(content: Content, most: int) -> list[uuid.UUID]:
    """Counts the notifications; returns the newest."""
    notifications = sorted({row.notification_id for row in content.rows})
    content.count = len(notifications)
    return notifications[-most:]


def _add_data(contents: Mapping[uuid.UUID, Content], newest: Mapping[uuid.UUID, Sequence[uuid.UUID]]) -> None:
    pairs = [(digest_id, pk) for digest_id, notifications in newest.items() for pk in notifications]
    if not pairs:
        return
    with bulk.cursor() as cursor:
        cursor.execute(_DATA, [[digest_id for digest_id, _ in pairs], [pk for _, pk in pairs]])
        for digest_id, notification_id, created_at, data in cursor.fetchall():
            own = {"created_at": _written(created_at), "notification_id": str(notification_id)}
            contents[digest_id].items.append((created_at, own | orjson.loads(data)))


def _add_campaigns(contents: Mapping[uuid.UUID, Content]) -> None:
    with bulk.cursor() as cursor:
        cursor.execute(_OF_CAMPAIGNS, [list(contents)])
        found = cursor.fetchall()
    if not found or not _campaign_lookups:
        return
    campaigns = _campaign_lookups[0]({campaign_id for _, campaign_id, _ in found})
    for digest_id, campaign_id, created_at in found:
        if campaign_id in campaigns:
            content = contents[digest_id]
            own = {"created_at": _written(created_at), "campaign_id": str(campaign_id)}
            content.items.append((created_at, own | dict(campaigns[campaign_id])))
            content.count, content.of_campaigns = content.count + 1, True


def _written(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds")
