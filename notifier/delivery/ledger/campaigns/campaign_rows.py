"""The SQL of campaigns on the ledger: rows of arming, unfinished rows, cancellations, outcomes of shards.

Campaigns name no table of the ledger themselves: import-linter cannot see a table's name in SQL. All ids of a campaign
lie in one millisecond (`IdRange`), so statements that name the range read one month's partition.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from notifier.delivery.infra import bulk
from notifier.delivery.webhooks import deliveries as webhooks
from notifier.vocabulary.status import TAKEN, Lane, QueuePosition, Reason, Status

#: the ids of one campaign's rows: the first, and the end, which is exclusive
IdRange = tuple[uuid.UUID, uuid.UUID]

# ---- arming --------------------------------------------------------------------------------------------------------

#: columns whose values several rows share: an array of the distinct combinations ("kinds") for each column
KIND_COLUMNS = {
    "channel": "text",
    "platform": "text",
    "account_id": "uuid",
    "status": "smallint",
    "reason": "text",
    "detail": "text",
}
#: columns that each row has of its own; `kind` is the number of the row's kind, from 1
_OWN_COLUMNS = {"id": "uuid", "recipient_id": "uuid", "address": "text", "device_id": "uuid", "kind": "integer"}
#: what all rows share
_SAME = {
    "tenant_id": "%(tenant)s::uuid", "campaign_id": "%(campaign)s::uuid", "category": "%(category)s",
    "lane": str(int(Lane.BULK)), "mode": "%(mode)s", "attempt": "0",
    "due_at": "%(started)s::timestamptz", "not_after": "%(not_after)s::timestamptz",
    "fence": "0", "seq": "0", "queue_position": str(int(QueuePosition.HAS_TURN)),
    "provider_ref": "''", "accepted_at": "%(started)s::timestamptz",
    "settled_at": f"CASE WHEN (%(status)s::smallint[])[u.kind] = {Status.SUPPRESSED} THEN %(started)s::timestamptz END",
}  # fmt: skip


def _insert_statement() -> str:
    columns = {
        **_SAME,
        **{name: f"(%({name})s::{kind}[])[u.kind]" for name, kind in KIND_COLUMNS.items()},
        **{name: f"u.{name}" for name in _OWN_COLUMNS if name != "kind"},
    }
    # uuids travel as text: PostgreSQL reads them faster than Python makes objects of them
    arrays = ", ".join(f"%({name}){'b' if kind == 'text' else 's'}::{kind}[]" for name, kind in _OWN_COLUMNS.items())
    return (
        f"INSERT INTO notifier_delivery ({', '.join(columns)}) SELECT {', '.join(columns.values())}"
        f" FROM unnest({arrays}) u ({', '.join(_OWN_COLUMNS)})"
    )


_INSERT = _insert_statement()


def insert(values: Mapping[str, Any]) -> None:
    """Write the rows of one audience range in one statement. Raises IntegrityError when an id exists already.

    `values`: tenant, campaign, category, mode, started and not_after once; an array for each of KIND_COLUMNS, one
    entry a kind; for each row its id, recipient_id, address, device_id and kind, by column. Arrays of uuids and numbers
    are PostgreSQL's text (`text_array`)."""
    with bulk.cursor() as cursor:
        cursor.execute(_INSERT, values)


def insert_new(values: Mapping[str, Any]) -> set[str]:
    """The same for rows of which some exist already; returns the ids that were new, as hex digits."""
    with bulk.cursor() as cursor:
        cursor.execute(f"{_INSERT} ON CONFLICT DO NOTHING RETURNING replace(id::text, '-', '')", values)
        return {row[0] for row in cursor.fetchall()}


_DELETE_ARMED = f"""
DELETE FROM notifier_delivery WHERE campaign_id = %s AND id >= %s AND id < %s
AND status IN ({Status.ARMED}, {Status.SUPPRESSED})
"""


def delete_armed(campaign_id: uuid.UUID, ids: IdRange) -> None:
    """Remove the rows of an earlier arming; only ever before the first GO."""
    with connection.cursor() as cursor:
        cursor.execute(_DELETE_ARMED, [campaign_id, *ids])


_ARRIVED = f"""
SELECT replace(id::text, '-', '') FROM notifier_delivery
WHERE recipient_id = ANY(%s) AND campaign_id = %s AND id >= %s AND id < %s
  AND status IN ({", ".join(str(int(s)) for s in TAKEN if s is not Status.BOUNCED)})
"""


def ids_that_arrived(campaign_id: uuid.UUID, ids: IdRange, recipients: Sequence[uuid.UUID]) -> set[str]:
    """The ids (hexadecimal digits) of the messages of these recipients that a provider took, and that did not come
    back. The index on the recipient finds them."""
    with bulk.cursor() as cursor:
        cursor.execute(_ARRIVED, [list(recipients), campaign_id, *ids])
        return {row[0] for row in cursor.fetchall()}


# ---- unfinished rows -----------------------------------------------------------------------------------------------


def unfinished(campaign: str, more: str = "true") -> str:
    """SQL: whether the ledger has rows that are queued, claimed or sending of the campaign whose id is the expression
    `campaign`; answered by an index. `more`: a further condition on the row `d`. Rows of shards do not count: they
    stay ARMED until their outcomes are copied."""
    return _exists(campaign, (Status.QUEUED, Status.CLAIMED, Status.SENDING), more)


def waiting(campaign: str) -> str:
    """SQL: whether rows of the campaign wait for another attempt."""
    return _exists(campaign, (Status.QUEUED, Status.CLAIMED))


def _exists(campaign: str, statuses: Sequence[Status], more: str = "true") -> str:
    return (
        f"EXISTS (SELECT 1 FROM notifier_delivery d WHERE d.campaign_id = {campaign}"
        f" AND d.status IN ({', '.join(str(int(status)) for status in statuses)}) AND {more})"
    )


_IS_UNFINISHED = f"SELECT {unfinished('%s', more='d.channel <> ALL(%s)')}"


def is_unfinished(campaign_id: uuid.UUID, without: Collection[str]) -> bool:
    """Whether the campaign has such rows on a channel that is not one of these."""
    with connection.cursor() as cursor:
        cursor.execute(_IS_UNFINISHED, [campaign_id, list(without)])
        return bool(cursor.fetchone()[0])


# Rows that a shard requeued for another attempt are few. A row whose earlier attempt got no answer may have arrived: it
# ends unknown, not cancelled.
_CANCEL = f"""
UPDATE notifier_delivery SET settled_at = now(), lease_until = NULL,
  status = CASE WHEN reason = '{Reason.IN_DOUBT}' THEN {Status.UNKNOWN} ELSE {Status.CANCELLED} END,
  reason = CASE WHEN reason = '{Reason.IN_DOUBT}' THEN reason ELSE '{Reason.STOPPED}' END
WHERE id = ANY(ARRAY(SELECT id FROM notifier_delivery
                     WHERE campaign_id = %(campaign)s AND status IN ({Status.QUEUED}, {Status.CLAIMED})
                       AND id >= %(low)s AND id < %(high)s LIMIT %(limit)s FOR UPDATE SKIP LOCKED))
  AND id >= %(low)s AND id < %(high)s
RETURNING tenant_id, id
"""


def cancel_waiting(campaign_id: uuid.UUID, ids: IdRange, limit: int) -> int:
    """End up to `limit` rows that wait for another attempt; returns how many. Skips rows that a worker settles at this
    moment."""
    low, high = ids
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_CANCEL, {"campaign": campaign_id, "low": low, "high": high, "limit": limit})
        ended = cursor.fetchall()
        webhooks.ended_of_tenants(ended)
    return len(ended)


# ---- outcomes of shards --------------------------------------------------------------------------------------------

_OUTCOME: bulk.Columns = {
    "id": "uuid", "status": "smallint", "reason": "text", "detail": "text", "provider_ref": "text",
    "settled_at": "timestamptz", "attempt": "smallint",
}  # fmt: skip
# without bounds of the ids: while statistics are old, bounds lead PostgreSQL to read the whole campaign for each shard
# (0.3 s instead of 0.04). The partition is found by each id
_COPY = f"""
UPDATE notifier_delivery d SET status = o.status, reason = o.reason, detail = left(o.detail, 300),
  provider_ref = o.provider_ref, settled_at = o.settled_at, attempt = o.attempt
FROM {bulk.unnest("o", _OUTCOME)}
WHERE d.id = o.id AND d.status = {Status.ARMED}
"""
# The provider took nearly all messages at the first attempt. Their arrays are sent as texts: PostgreSQL reads them in a
# tenth of the time that Python takes to make objects of them (9 µs a message before)
_COPY_TAKEN = f"""
UPDATE notifier_delivery d SET status = %s, attempt = 1,
  settled_at = %s::timestamptz + o.ms * interval '1 millisecond'
FROM unnest(%t::uuid[], %t::bigint[]) AS o (id, ms) WHERE d.id = o.id AND d.status = {Status.ARMED}
"""
_KEEP_CONTENT = """
UPDATE notifier_delivery d SET content = l.content
FROM unnest(%b::uuid[], %t::jsonb[]) AS l (id, content) WHERE d.id = l.id
"""

#: id, status, reason, detail, the provider's reference, the end, attempts
Ended = tuple[uuid.UUID, int, str, str, str, datetime, int]


def copy_outcomes(rows: Sequence[Ended]) -> None:
    """Write the outcomes of a shard's messages into their ARMED rows."""
    if rows:
        with bulk.cursor() as cursor:
            cursor.execute(_COPY, bulk.by_column(_OUTCOME, rows))


def copy_taken(status: Status, began_at: datetime | None, ids: Iterable[str], delays_ms: Iterable[int]) -> None:
    """The same for messages that the provider took at the first attempt: `ids` as hex digits, and each one's
    milliseconds since `began_at`."""
    with bulk.cursor() as cursor:
        cursor.execute(_COPY_TAKEN, [int(status), began_at, text_array(ids), text_array(map(str, delays_ms))])


def keep_content(ids: Sequence[uuid.UUID], contents: Sequence[str]) -> None:
    """Keep the content (JSON) of dead letters: a dead letter can be re-driven only with it, and a shard's payload is
    deleted."""
    with bulk.cursor() as cursor:
        cursor.execute(_KEEP_CONTENT, [list(ids), list(contents)])


def text_array(items: Iterable[str]) -> str:
    """PostgreSQL's text form of an array whose items need no quotes."""
    return "{" + ",".join(items) + "}"
