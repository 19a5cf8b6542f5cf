"""Take places in windows, and give them back. One row for each cap, recipient and window has the ids of its holders.

Counts are exact whatever runs side by side: a row is locked before its places are shared, and rows are locked in the
order of their keys. A place that is taken twice by the same holder is one place, so that a repeat after a crash counts
once.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from django.db import transaction

from notifier.delivery.caps.sharing import PlaceKey, PlaceRequest, share
from notifier.delivery.infra import bulk
from notifier.delivery.ledger.history import not_before
from notifier.delivery.planning.cap_rules import Cap, CapWindow
from notifier.vocabulary.status import Status

_KEY: bulk.Columns = {"cap_id": "uuid", "recipient_id": "uuid", "window_start": "timestamptz"}
_KEY_COLUMNS = ", ".join(_KEY)

# the update changes nothing: it locks rows that exist as the insert locks rows that do not, in one order
_LOCK = f"""
INSERT INTO notifier_capcount AS c ({_KEY_COLUMNS}, tenant_id, holders)
SELECT u.*, %b, '{{}}' FROM {bulk.unnest("u", _KEY)} ORDER BY {_KEY_COLUMNS}
ON CONFLICT ({_KEY_COLUMNS}) DO UPDATE SET tenant_id = c.tenant_id
RETURNING {_KEY_COLUMNS}, c.holders
"""
_HOLDERS = f"""
SELECT {_KEY_COLUMNS}, c.holders FROM notifier_capcount c JOIN {bulk.unnest("u", _KEY)} USING ({_KEY_COLUMNS})
WHERE c.tenant_id = %b
"""
_SAVE = f"""
UPDATE notifier_capcount c SET holders = u.holders::uuid[]
FROM {bulk.unnest("u", {**_KEY, "holders": "text"})}
WHERE (c.cap_id, c.recipient_id, c.window_start) = (u.cap_id, u.recipient_id, u.window_start)
"""


def take(tenant_id: uuid.UUID, requests: Sequence[PlaceRequest]) -> list[tuple[CapWindow, ...]]:
    """The windows without a place for each request, in the order of the requests. A request whose entry is empty holds
    a place in each of its windows; the others took none. Locks the windows until the transaction ends."""
    keys = sorted({key for request in requests for key, _ in request.places()})
    if not keys:
        return [() for _ in requests]
    with transaction.atomic(savepoint=False), bulk.cursor() as cursor:
        cursor.execute(_LOCK, [tenant_id, *bulk.by_column(_KEY, keys)], binary=True, prepare=True)
        holders = {PlaceKey(*key): list(ids) for *key, ids in cursor.fetchall()}
        shares = share(holders, requests)
        if shares.changed:
            rows = [(*key, _array(holders[key])) for key in sorted(shares.changed)]
            cursor.execute(_SAVE, bulk.by_column({**_KEY, "holders": "text"}, rows), prepare=True)
    return shares.full


def read_holders(tenant_id: uuid.UUID, keys: Collection[PlaceKey]) -> dict[PlaceKey, list[uuid.UUID]]:
    """The holders of these windows as they are now, without a lock; a window without a row is missing."""
    with bulk.cursor() as cursor:
        cursor.execute(_HOLDERS, [*bulk.by_column(_KEY, sorted(keys)), tenant_id], binary=True, prepare=True)
        return {PlaceKey(*key): list(ids) for *key, ids in cursor.fetchall()}


def without_place(tenant_id: uuid.UUID, requests: Sequence[PlaceRequest]) -> list[int]:
    """The indexes of the requests that do not hold a place in each of their windows yet."""
    keys = {key for request in requests for key, _ in request.places()}
    holders = read_holders(tenant_id, keys) if keys else {}
    return [n for n, r in enumerate(requests) if any(r.holder not in holders.get(key, ()) for key, _ in r.places())]


def _array(ids: Iterable[uuid.UUID]) -> str:
    return "{" + ",".join(map(str, ids)) + "}"


# ---- campaigns -----------------------------------------------------------------------------------------------------

# One statement for each cap. Most recipients have a free place, and the number of rows says so: RETURNING would cost
# a row of the answer for each
_TAKE_ONE_CAP = f"""
INSERT INTO notifier_capcount AS c ({_KEY_COLUMNS}, tenant_id, holders)
SELECT %(cap)s, u.recipient_id, (%(starts)s::timestamptz[])[u.n], %(tenant)s, ARRAY[%(holder)s::uuid]
FROM unnest(%(recipients)s::uuid[], %(windows)s::integer[]) u (recipient_id, n) ORDER BY 2, 3
ON CONFLICT ({_KEY_COLUMNS}) DO UPDATE SET holders = c.holders || excluded.holders
WHERE cardinality(c.holders) < %(most)s AND NOT c.holders @> excluded.holders
"""
_WITHOUT_PLACE = f"""
SELECT replace(u.recipient_id::text, '-', '')
FROM unnest(%(recipients)s::uuid[], %(windows)s::integer[]) u (recipient_id, n)
WHERE NOT EXISTS (
  SELECT FROM notifier_capcount c WHERE ({", ".join(f"c.{name}" for name in _KEY)}) =
    (%(cap)s, u.recipient_id, (%(starts)s::timestamptz[])[u.n]) AND c.holders @> ARRAY[%(holder)s::uuid])
"""
_GIVE_BACK_SOME = f"""
UPDATE notifier_capcount c SET holders = array_remove(c.holders, %(holder)s)
FROM unnest(%(recipients)s::uuid[], %(windows)s::integer[]) u (recipient_id, n)
WHERE ({", ".join(f"c.{name}" for name in _KEY)}) =
  (%(cap)s, u.recipient_id, (%(starts)s::timestamptz[])[u.n])
"""


def take_for_campaign(
    tenant_id: uuid.UUID, campaign_id: uuid.UUID, cap: Cap, windows: Mapping[datetime, Sequence[str]]
) -> set[str]:
    """Take a place of one cap for each recipient; returns the recipients that got none. `windows`: the recipients (hex
    digits) of each beginning of a window. Holds the places until the transaction ends."""
    values = _campaign_values(tenant_id, campaign_id, cap, windows)
    with bulk.cursor() as cursor:
        cursor.execute(_TAKE_ONE_CAP, values)
        if cursor.rowcount == sum(map(len, windows.values())):
            return set()
        cursor.execute(_WITHOUT_PLACE, values)
        return {recipient for (recipient,) in cursor.fetchall()}


def give_back_some(
    tenant_id: uuid.UUID, campaign_id: uuid.UUID, cap: Cap, windows: Mapping[datetime, Sequence[str]]
) -> None:
    """Give back the campaign's places of one cap for these recipients, which `take_for_campaign` took in the same
    transaction."""
    with bulk.cursor() as cursor:
        cursor.execute(_GIVE_BACK_SOME, _campaign_values(tenant_id, campaign_id, cap, windows))


def _campaign_values(
    tenant_id: uuid.UUID, campaign_id: uuid.UUID, cap: Cap, windows: Mapping[datetime, Sequence[str]]
) -> dict[str, object]:
    return {
        "tenant": tenant_id,
        "holder": campaign_id,
        "cap": cap.id,
        "most": cap.most,
        "starts": list(windows),
        "recipients": "{" + ",".join([r for recipients in windows.values() for r in recipients]) + "}",
        "windows": "{" + ",".join([str(n) for n, rs in enumerate(windows.values(), 1) for _ in rs]) + "}",
    }


# ---- give back -----------------------------------------------------------------------------------------------------

#: statuses of messages that never left
_NEVER_LEFT = f"{Status.ARMED}, {Status.SUPPRESSED}, {Status.CANCELLED}, {Status.EXPIRED}"

# Rows are locked in the order of their keys, as everywhere. `unsent` has the holder and the recipient of each place
_GIVE_BACK = f"""
, locked AS (
  SELECT {", ".join(f"c.{name}" for name in _KEY)}, unsent.holder
  FROM unsent CROSS JOIN notifier_frequencycap f
  JOIN notifier_capcount c ON c.cap_id = f.id AND c.recipient_id = unsent.recipient_id
  WHERE f.tenant_id = %(tenant)s AND c.holders @> ARRAY[unsent.holder]
  ORDER BY {_KEY_COLUMNS} FOR UPDATE OF c
)
UPDATE notifier_capcount c SET holders = array_remove(c.holders, locked.holder) FROM locked
WHERE ({", ".join(f"c.{name}" for name in _KEY)}) = ({", ".join(f"locked.{name}" for name in _KEY)})
"""
_GIVE_BACK_REFUSED = f"""
WITH unsent AS (SELECT * FROM unnest(%(holders)s::uuid[], %(recipients)s::uuid[]) u (holder, recipient_id))
{_GIVE_BACK}
"""
_LOCK_HOLDERS = f"""
SELECT 1 FROM notifier_notification n CROSS JOIN notifier_frequencycap f
JOIN notifier_capcount c ON c.cap_id = f.id AND c.recipient_id = n.recipient_id
WHERE n.id = ANY(%(notifications)s::uuid[]) AND n.tenant_id = %(tenant)s AND f.tenant_id = %(tenant)s
  AND c.holders @> ARRAY[n.id]
ORDER BY {", ".join(f"c.{name}" for name in _KEY)} FOR UPDATE OF c
"""
_GIVE_BACK_CANCELLED = f"""
WITH unsent AS (
  SELECT n.id AS holder, n.recipient_id FROM notifier_notification n
  WHERE n.id = ANY(%(notifications)s::uuid[]) AND n.tenant_id = %(tenant)s AND NOT EXISTS (
    SELECT FROM notifier_delivery d
    WHERE d.notification_id = n.id AND d.id >= %(low)s AND d.status NOT IN ({_NEVER_LEFT})))
{_GIVE_BACK}
"""
_GIVE_BACK_CAMPAIGN = f"""
WITH unsent AS (
  SELECT %(campaign)s::uuid AS holder, recipient_id FROM notifier_delivery
  WHERE campaign_id = %(campaign)s AND id >= %(low)s AND id < %(high)s
    -- asked once, so that a campaign of a tenant without caps is not read
    AND EXISTS (SELECT FROM notifier_frequencycap WHERE tenant_id = %(tenant)s)
  GROUP BY recipient_id HAVING bool_and(status IN ({_NEVER_LEFT})))
{_GIVE_BACK}
"""


def give_back(tenant_id: uuid.UUID, holders: Collection[tuple[uuid.UUID, uuid.UUID]]) -> None:
    """Give back all places of these holders: pairs of a notification or campaign, and a recipient."""
    values = {"tenant": tenant_id, "holders": [h for h, _ in holders], "recipients": [r for _, r in holders]}
    _give_back(_GIVE_BACK_REFUSED, values)


def lock_holders(tenant_id: uuid.UUID, notifications: Sequence[uuid.UUID]) -> bool:
    """Lock the windows in which these notifications hold places; returns whether there are any. Before the ordering
    queues are locked: an acceptance locks windows first, too."""
    with bulk.cursor() as cursor:
        cursor.execute(_LOCK_HOLDERS, {"tenant": tenant_id, "notifications": list(notifications)})
        return bool(cursor.fetchone())


def give_back_cancelled(tenant_id: uuid.UUID, notifications: Sequence[uuid.UUID], low: uuid.UUID) -> None:
    """Give back the places of those notifications of which no message left. `low`: no delivery has a smaller id."""
    _give_back(_GIVE_BACK_CANCELLED, {"tenant": tenant_id, "notifications": list(notifications), "low": low})


def give_back_cancelled_late(notifications: Collection[tuple[uuid.UUID, uuid.UUID]]) -> None:
    """The same for messages that were in flight when they were cancelled, and did not leave: tenant and id of each
    notification."""
    for tenant_id in sorted({tenant_id for tenant_id, _ in notifications}):
        own = sorted(notification for tenant, notification in notifications if tenant == tenant_id)
        give_back_cancelled(tenant_id, own, not_before(own))


def give_back_campaign(tenant_id: uuid.UUID, campaign_id: uuid.UUID, ids: tuple[uuid.UUID, uuid.UUID]) -> None:
    """Give back the places of the recipients whom no message of the campaign has left for. `ids`: the campaign's
    deliveries, first and end."""
    _give_back(_GIVE_BACK_CAMPAIGN, {"tenant": tenant_id, "campaign": campaign_id, "low": ids[0], "high": ids[1]})


def _give_back(statement: str, values: Mapping[str, object]) -> None:
    with bulk.cursor() as cursor:
        cursor.execute(statement, values)


# ---- old windows ---------------------------------------------------------------------------------------------------

#: rows that one statement deletes
BATCH = 10_000
#: the longest window, and a day for what zones differ; after it no message can count in the window
_KEPT_DAYS = 9
# by an array, which PostgreSQL makes once: it may run a subselect again for each row, and each run with SKIP LOCKED and
# LIMIT may choose other rows
_FORGET = """
DELETE FROM notifier_capcount WHERE ctid = ANY(ARRAY(
  SELECT ctid FROM notifier_capcount WHERE window_start < %s ORDER BY window_start LIMIT %s FOR UPDATE SKIP LOCKED))
"""


def forget_old(now: datetime, batch: int = BATCH) -> int:
    """Delete the rows of windows that are over, a batch in each transaction; returns how many."""
    deleted, last = 0, batch
    while last == batch:
        with bulk.cursor() as cursor:
            cursor.execute(_FORGET, [now - timedelta(days=_KEPT_DAYS), batch])
            last = cursor.rowcount
        deleted += last
    return deleted
