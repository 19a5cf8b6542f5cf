"""The hot statements on the ledger's rows: claim, begin, renew, unbegin, release. Time is always the database's."""

from __future__ import annotations

import time
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from operator import itemgetter
from typing import Any

import orjson

from notifier.delivery.infra import bulk
from notifier.delivery.infra.pg_arrays import Array
from notifier.delivery.ledger.leases import lease_seconds
from notifier.vocabulary.ids import id_floor
from notifier.vocabulary.people import Address
from notifier.vocabulary.status import QueuePosition, Reason, Status

#: messages of one account that may be claimed or in flight at once, over all workers: two processes' windows. More
#: would wait inside the transport, where a later opt-out no longer reaches them
IN_FLIGHT_CAP = 800


@dataclass(frozen=True, slots=True)
class Claimed:
    """One ledger row that a worker holds. The worker's writes count only while `fence` is the row's."""

    # the positional fields are columns of a claim, see COLUMNS
    id: uuid.UUID
    tenant_id: uuid.UUID
    recipient_id: uuid.UUID
    account_id: uuid.UUID
    channel: str
    lane: int
    mode: str
    attempt: int
    fence: int
    accepted_at: datetime
    not_after: datetime | None = None
    notification_id: uuid.UUID | None = None
    campaign_id: uuid.UUID | None = None
    category: str = ""
    #: an earlier attempt may have arrived
    in_doubt: bool = False
    #: a time of the database's clock before the request of this claim; None: only the time of acceptance is known
    asked_at: datetime | None = None
    address: Address = field(kw_only=True)
    content: Mapping[str, Any] = field(kw_only=True)
    #: held through its shard's lease instead of one of its own
    in_shard: bool = field(default=False, kw_only=True)


class Claims(list[Claimed]):
    """The rows of one claim. `more`: there may be more rows that are due."""

    more = False


# ---- rows ----------------------------------------------------------------------------------------------------------

_CLAIMED = [column.name for column in fields(Claimed) if not column.kw_only]
#: the columns of a row that becomes a Claimed, in the order of SQL
COLUMNS = [*_CLAIMED, "address", "platform", "device_id", "content", "seq"]
_FIELDS, _ADDRESS = slice(len(_CLAIMED)), slice(COLUMNS.index("address"), COLUMNS.index("device_id") + 1)
_CONTENT = COLUMNS.index("content")
_QUEUE_ORDER = itemgetter(COLUMNS.index("lane"), COLUMNS.index("seq"))


def select_list(**expressions: str) -> str:
    """COLUMNS of `notifier_delivery d` in SQL; `expressions` replace single columns."""
    return ", ".join(expressions.get(name, f"d.{name}") for name in COLUMNS)


def claimed_from_row(row: Sequence[Any]) -> Claimed:
    """The Claimed of one row of COLUMNS. By slices a row costs 3.8 µs; by numbers and keywords it cost 4.5."""
    return Claimed(*row[_FIELDS], address=Address(*row[_ADDRESS]), content=orjson.loads(row[_CONTENT] or "null"))


# ---- claim ---------------------------------------------------------------------------------------------------------

# An id begins with the time at which it was made. With this condition PostgreSQL leaves out the partitions of the
# coming months when the statement starts: half of all partitions of a new installation.
_MADE = "d.id < %(end)s::uuid"
#: milliseconds by which the clock of a process that accepts may be ahead of the clock of a worker
_CLOCK_SKEW_MS = 86_400_000
#: a queued row that has its queue's turn; it may be claimed once it is due
_READY = f"status = {Status.QUEUED} AND queue_position = {QueuePosition.HAS_TURN}"

# The recursive part visits each account with backlog once, by index (a loose scan: DISTINCT would read all of it).
_BACKLOG = f"""
WITH RECURSIVE backlog (account_id) AS (
  (SELECT d.account_id FROM notifier_delivery d WHERE d.channel = %(channel)s::text AND {_READY} AND {_MADE}
   ORDER BY d.account_id LIMIT 1)
  UNION ALL
  SELECT (SELECT d.account_id FROM notifier_delivery d
          WHERE d.channel = %(channel)s::text AND {_READY} AND d.account_id > b.account_id AND {_MADE}
          ORDER BY d.account_id LIMIT 1)
  FROM backlog b WHERE b.account_id IS NOT NULL
)"""

# COLUMNS, and whether other accounts have a backlog
_RETURNING = select_list(
    attempt="d.attempt - %(begun)s::smallint",
    content="d.content::text",
    in_doubt=f"d.reason = '{Reason.IN_DOUBT}'",
    asked_at="now()",
)
_TAKE = f"""
UPDATE notifier_delivery d
SET status = %(status)s::smallint, attempt = d.attempt + %(begun)s::smallint, fence = d.fence + 1,
  lease_until = now() + make_interval(secs => %(lease)s::float8)
WHERE d.id = ANY(ARRAY(SELECT id FROM picked)) AND {_MADE}
RETURNING {_RETURNING}, (SELECT count(account_id) > 1 FROM backlog)
"""

# One statement. The account served longest ago goes first, so that tenants take turns; SKIP LOCKED lets two workers
# claim side by side. Three forms let PostgreSQL find rows by index, whatever it believes about the size of a partition:
# whether an account has a due row is a subquery with ORDER BY and LIMIT (an EXISTS becomes a join, and without the
# order the whole partition is read); the subqueries name the backlog's account, so that accounts without a backlog cost
# nothing; the rows are updated by an array of their ids (a join reads the whole partition). A claim of 200 of 20,000
# rows took 134 ms without these forms, and takes 3
_CLAIM = f"""{_BACKLOG}, chosen AS (
  SELECT p.id FROM backlog b JOIN notifier_provideraccount p ON p.id = b.account_id
  WHERE (SELECT true FROM notifier_delivery d WHERE d.channel = %(channel)s::text AND d.account_id = b.account_id
         AND d.lane = ANY(%(lanes)s::smallint[]) AND {_READY} AND d.due_at <= now() AND {_MADE}
         ORDER BY d.lane LIMIT 1)
    AND b.account_id <> ALL(%(busy)s::uuid[])
    AND (SELECT count(*) FROM notifier_delivery d WHERE d.account_id = b.account_id AND {_MADE}
         AND d.status IN ({Status.CLAIMED}, {Status.SENDING}) AND d.lease_until IS NOT NULL) < {IN_FLIGHT_CAP}
  ORDER BY p.served_at LIMIT 1 FOR UPDATE OF p SKIP LOCKED
), served AS (
  UPDATE notifier_provideraccount SET served_at = clock_timestamp() WHERE id = (SELECT id FROM chosen)
), picked AS (
  SELECT d.id FROM notifier_delivery d
  WHERE d.channel = %(channel)s::text AND d.account_id = (SELECT id FROM chosen) AND d.lane = ANY(%(lanes)s::smallint[])
    AND {_READY} AND d.due_at <= now() AND {_MADE}
  ORDER BY d.lane, d.due_at LIMIT %(limit)s::bigint FOR UPDATE SKIP LOCKED
){_TAKE}"""

# rows whose account was deleted after acceptance: no claim by account finds them
_CLAIM_ORPHANS = f"""{_BACKLOG}, picked AS (
  SELECT d.id FROM notifier_delivery d
  WHERE d.channel = %(channel)s::text AND {_READY} AND {_MADE} AND d.account_id IN (
    SELECT b.account_id FROM backlog b LEFT JOIN notifier_provideraccount p ON p.id = b.account_id
    WHERE b.account_id IS NOT NULL AND p.id IS NULL)
  LIMIT %(limit)s::bigint FOR UPDATE SKIP LOCKED
){_TAKE}"""


# A claim skips an account that another worker claims for at this moment. A worker that was notified of a message and
# claimed nothing waits for that account instead: the claim of the other worker may have begun before the message was
# stored
_WAITING_CLAIM = _CLAIM.replace("FOR UPDATE OF p SKIP LOCKED", "FOR UPDATE OF p", 1)


@dataclass(frozen=True)
class ClaimOptions:
    """`begin`: the rows are `sending` at once, which saves a commit before the request. Only for channels that may
    repeat a message: when a worker is killed before it sent the rows, all of them are in doubt. `wait_for_locked`:
    wait for an account that another worker claims for."""

    begin: bool = False
    wait_for_locked: bool = False


def claim(
    channel: str,
    lanes: Sequence[int],
    limit: int,
    busy: Collection[uuid.UUID] = (),
    options: ClaimOptions = ClaimOptions(),
) -> Claims:
    """Up to `limit` due rows that hold their queue's turn, all of one provider account that is not in `busy`; in the
    order of their queues."""
    statement = _WAITING_CLAIM if options.wait_for_locked else _CLAIM
    chosen = {"lanes": [int(lane) for lane in lanes], "busy": list(busy)}
    return _claim(statement, channel, limit, {**chosen, **(_BEGUN if options.begin else _MERELY_CLAIMED)})


_MERELY_CLAIMED: Mapping[str, Any] = {"status": int(Status.CLAIMED), "begun": 0}
_BEGUN: Mapping[str, Any] = {"status": int(Status.SENDING), "begun": 1}


def claim_orphans(channel: str, limit: int) -> list[Claimed]:
    """Up to `limit` queued rows whose account does not exist any more."""
    return _claim(_CLAIM_ORPHANS, channel, limit, _MERELY_CLAIMED)


def _end() -> uuid.UUID:
    """An id above those of all rows that exist."""
    return id_floor(int(time.time() * 1000) + _CLOCK_SKEW_MS)


def _claim(statement: str, channel: str, limit: int, more: Mapping[str, Any]) -> Claims:
    with bulk.cursor() as cursor:
        values = {"channel": channel, "limit": limit, "lease": lease_seconds(), "end": _end(), **more}
        cursor.execute(statement, values, prepare=True, binary=True)
        rows = sorted(cursor.fetchall(), key=_QUEUE_ORDER)
    claims = Claims(map(claimed_from_row, rows))
    # a full claim of one account, or other accounts have a backlog
    claims.more = len(rows) == limit or any(others_wait for *_, others_wait in rows[:1])
    return claims


# ---- claimed rows --------------------------------------------------------------------------------------------------

#: of a row that is `sending`: its cancellation was asked for meanwhile. The row keeps the provider's answer, and ends
#: instead of returning to its queue (settle)
CANCEL_ASKED = f"d.reason = '{Reason.BY_REQUEST}'"
_FENCED: bulk.Columns = {"id": "uuid", "fence": "integer"}
_BEGIN = f"""
UPDATE notifier_delivery d SET status = {Status.SENDING}, attempt = d.attempt + 1,
  lease_until = now() + make_interval(secs => %s::float8)
FROM {bulk.unnest("held", _FENCED)}
WHERE d.id = held.id AND d.fence = held.fence AND d.status = {Status.CLAIMED}
RETURNING d.id
"""


def begin(rows: Sequence[Claimed]) -> list[Claimed]:
    """Commit `sending` for rows that are about to be sent; returns the rows that this worker still holds."""
    ours = bulk.fetch_ids(_BEGIN, [lease_seconds(), *_fences(rows)]) if rows else set()
    return [row for row in rows if row.id in ours]


_BEGIN_ARMED = f"""
UPDATE notifier_delivery d SET status = {Status.SENDING}, attempt = d.attempt + 1, fence = held.fence
FROM {bulk.unnest("held", _FENCED)}
WHERE d.id = held.id AND d.status = {Status.ARMED}
RETURNING d.id
"""


def begin_armed(rows: Sequence[Claimed]) -> set[uuid.UUID]:
    """The same for rows of a shard, whose lease and fence are the shard's; returns the ids of rows still armed."""
    return bulk.fetch_ids(_BEGIN_ARMED, _fences(rows))


_NOT_BEGUN = f"attempt = d.attempt - (d.status = {Status.SENDING})::int"
_OURS = f"d.id = held.id AND d.fence = held.fence AND d.status IN ({Status.CLAIMED}, {Status.SENDING})"

_RELEASE = f"""
UPDATE notifier_delivery d SET status = {Status.QUEUED}, {_NOT_BEGUN}, lease_until = NULL,
  due_at = greatest(d.due_at, now() + make_interval(secs => %s::float8))
FROM {bulk.unnest("held", _FENCED)} WHERE {_OURS} AND NOT {CANCEL_ASKED}
RETURNING d.id
"""


def release(rows: Sequence[Claimed], wait: float) -> list[Claimed]:
    """Queue rows again that were not sent, due in `wait` seconds; they keep their turn and their attempts. Returns the
    others: rows that this worker lost, and rows to cancel. `settle.queue_again` ends these."""
    queued = bulk.fetch_ids(_RELEASE, [wait, *_fences(rows)]) if rows else set()
    return [row for row in rows if row.id not in queued]


_UNBEGIN = f"""
UPDATE notifier_delivery d SET {_NOT_BEGUN},
  status = CASE WHEN {CANCEL_ASKED} THEN d.status ELSE {Status.CLAIMED} END
FROM {bulk.unnest("held", _FENCED)} WHERE {_OURS}
"""


def unbegin(rows: Sequence[Claimed]) -> None:
    """Turn begun rows into merely claimed ones: they were not sent, and will not be. A row to cancel stays `sending`,
    so that no other process queues it again; its attempt is not counted either."""
    if rows:
        with bulk.cursor() as cursor:
            cursor.execute(_UNBEGIN, _fences(rows), prepare=True)


_RENEW = f"""
UPDATE notifier_delivery d SET lease_until = now() + make_interval(secs => %s::float8)
FROM {bulk.unnest("held", _FENCED)} WHERE {_OURS}
RETURNING d.id
"""


def renew(rows: Sequence[Claimed]) -> list[Claimed]:
    """Lengthen the leases of rows that still wait for an answer; returns the rows that this worker still holds."""
    ours = bulk.fetch_ids(_RENEW, [lease_seconds(), *_fences(rows)]) if rows else set()
    return [row for row in rows if row.id in ours]


def _fences(rows: Sequence[Claimed]) -> list[Array]:
    """In the order of their ids, in which a cancellation locks rows, too: two orders would be a deadlock."""
    ordered = sorted(rows, key=lambda row: row.id.int)
    return bulk.by_column(_FENCED, [(row.id, row.fence) for row in ordered])
