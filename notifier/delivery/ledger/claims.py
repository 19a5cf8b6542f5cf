"""The few hot statements on the ledger: claim, begin, hand back. Time is always the database's."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from notifier.delivery.infra import bulk
from notifier.delivery.infra.pg_arrays import Array
from notifier.delivery.ledger.leases import lease_seconds
from notifier.vocabulary.people import Address
from notifier.vocabulary.status import QueuePosition, Reason, Status

#: messages of one account that may be claimed or on the wire at once, over all workers: two processes' windows. More
#: would wait inside the transport, where a later opt-out no longer reaches them
IN_FLIGHT_CAP = 800


@dataclass(frozen=True, slots=True)
class Claimed:
    """One ledger row in a worker's hands. Its writes count only while `fence` is the row's."""

    id: uuid.UUID
    tenant_id: uuid.UUID
    recipient_id: uuid.UUID
    account_id: uuid.UUID
    channel: str
    address: Address
    lane: int
    mode: str
    content: Mapping[str, Any]
    attempt: int
    fence: int
    accepted_at: datetime
    not_after: datetime | None = None
    notification_id: uuid.UUID | None = None
    campaign_id: uuid.UUID | None = None
    category: str = ""
    #: held through its shard's lease instead of one of its own
    in_shard: bool = False
    #: an earlier attempt may have arrived
    in_doubt: bool = False
    #: no provider was asked before this moment of the database's clock; None: not before the acceptance
    asked_at: datetime | None = None


class Claims(list[Claimed]):
    """What one claim found. `more`: there may be more that is due."""

    more = False


_LIVE = f"status = {Status.QUEUED} AND queue_position = {QueuePosition.HAS_TURN}"

# The recursive part visits each account with backlog once, by index (a loose scan: DISTINCT would read all of it).
_BACKLOG = f"""
WITH RECURSIVE backlog (account_id) AS (
  (SELECT account_id FROM notifier_delivery WHERE channel = %(channel)s::text AND {_LIVE} ORDER BY account_id LIMIT 1)
  UNION ALL
  SELECT (SELECT d.account_id FROM notifier_delivery d
          WHERE d.channel = %(channel)s::text AND {_LIVE} AND d.account_id > b.account_id
          ORDER BY d.account_id LIMIT 1)
  FROM backlog b WHERE b.account_id IS NOT NULL
)"""

_TAKE = f"""
UPDATE notifier_delivery d
SET status = %(status)s::smallint, attempt = d.attempt + %(begun)s::smallint, fence = d.fence + 1,
  lease_until = now() + make_interval(secs => %(lease)s::float8)
FROM picked WHERE d.id = picked.id
RETURNING d.id, d.tenant_id, d.recipient_id, d.account_id, d.channel, d.address, d.platform, d.device_id, d.lane,
  d.mode, d.content::text, d.attempt - %(begun)s::smallint, d.fence, d.accepted_at, d.not_after, d.notification_id,
  d.campaign_id, d.seq, d.category, d.reason = '{Reason.IN_DOUBT}', (SELECT count(account_id) > 1 FROM backlog),
  now()
"""

# One statement. The account served longest ago goes first, so tenants take turns; SKIP LOCKED lets two workers claim
# side by side. Whether an account has something due is a subquery with a LIMIT: of an EXISTS PostgreSQL makes a join,
# for which it reads the whole backlog (22 of 31 ms when 16,600 messages waited)
_CLAIM = f"""{_BACKLOG}, chosen AS (
  SELECT p.id FROM notifier_provideraccount p JOIN backlog b ON b.account_id = p.id
  WHERE (SELECT true FROM notifier_delivery d WHERE d.channel = %(channel)s::text AND d.account_id = p.id
         AND d.lane = ANY(%(lanes)s::smallint[]) AND {_LIVE} AND d.due_at <= now() LIMIT 1)
    AND p.id <> ALL(%(busy)s::uuid[])
    AND (SELECT count(*) FROM notifier_delivery f WHERE f.account_id = p.id
         AND f.status IN ({Status.CLAIMED}, {Status.SENDING}) AND f.lease_until IS NOT NULL) < {IN_FLIGHT_CAP}
  ORDER BY p.served_at LIMIT 1 FOR UPDATE OF p SKIP LOCKED
), served AS (
  UPDATE notifier_provideraccount SET served_at = clock_timestamp() WHERE id = (SELECT id FROM chosen)
), picked AS (
  SELECT d.id FROM notifier_delivery d
  WHERE d.channel = %(channel)s::text AND d.account_id = (SELECT id FROM chosen) AND d.lane = ANY(%(lanes)s::smallint[])
    AND {_LIVE} AND d.due_at <= now()
  ORDER BY d.lane, d.due_at LIMIT %(limit)s::bigint FOR UPDATE SKIP LOCKED
){_TAKE}"""

# rows whose account was deleted after acceptance: no claim by account finds them
_CLAIM_ORPHANS = f"""{_BACKLOG}, picked AS (
  SELECT d.id FROM notifier_delivery d
  WHERE d.channel = %(channel)s::text AND {_LIVE} AND d.account_id IN (
    SELECT b.account_id FROM backlog b LEFT JOIN notifier_provideraccount p ON p.id = b.account_id
    WHERE b.account_id IS NOT NULL AND p.id IS NULL)
  LIMIT %(limit)s::bigint FOR UPDATE SKIP LOCKED
){_TAKE}"""


# An account that another claims for at this moment is passed over: others wait. Whoever was told of a message and found
# none waits for that account instead, for the other may have begun to look before the message was there
_PATIENT_CLAIM = _CLAIM.replace("FOR UPDATE OF p SKIP LOCKED", "FOR UPDATE OF p", 1)


@dataclass(frozen=True)
class ClaimOptions:
    """`begin`: the rows are `sending` at once, which saves a commit before the wire. Only where a repeat is hidden:
    when a worker is killed before it wrote them, all are in doubt. `patient`: see above."""

    begin: bool = False
    patient: bool = False


def claim(
    channel: str, lanes: Sequence[int], limit: int, busy: Collection[uuid.UUID] = (), how: ClaimOptions = ClaimOptions()
) -> Claims:
    """Up to `limit` due rows that hold their line's turn, all of one provider account not in `busy`; in line order."""
    more = {"lanes": [int(lane) for lane in lanes], "busy": list(busy)}
    statement = _PATIENT_CLAIM if how.patient else _CLAIM
    return _take(statement, channel, limit, {**more, **(_BEGUN if how.begin else _MERELY_CLAIMED)})


_MERELY_CLAIMED: Mapping[str, Any] = {"status": int(Status.CLAIMED), "begun": 0}
_BEGUN: Mapping[str, Any] = {"status": int(Status.SENDING), "begun": 1}


def claim_orphans(channel: str, limit: int) -> list[Claimed]:
    """Up to `limit` queued rows whose account does not exist any more."""
    return _take(_CLAIM_ORPHANS, channel, limit, _MERELY_CLAIMED)


def _take(statement: str, channel: str, limit: int, more: Mapping[str, Any]) -> Claims:
    with bulk.cursor() as cursor:
        values = {"channel": channel, "limit": limit, "lease": lease_seconds(), **more}
        cursor.execute(statement, values, prepare=True, binary=True)
        rows = sorted(cursor.fetchall(), key=lambda row: (row[8], row[17]))
    found = Claims(map(_claimed, rows))
    # that many of one account, or it is others' turn
    found.more = len(rows) == limit or any(row[20] for row in rows[:1])
    return found


def _claimed(row: Sequence[Any]) -> Claimed:
    return Claimed(
        id=row[0], tenant_id=row[1], recipient_id=row[2], account_id=row[3], channel=row[4],
        address=Address(row[5], row[6], row[7]), lane=row[8], mode=row[9],
        content=orjson.loads(row[10] or "null"),
        attempt=row[11], fence=row[12], accepted_at=row[13], not_after=row[14], notification_id=row[15],
        campaign_id=row[16], category=row[18], in_doubt=row[19], asked_at=row[21],
    )  # fmt: skip


_MINE: bulk.Columns = {"id": "uuid", "fence": "integer"}
_BEGIN = f"""
UPDATE notifier_delivery d SET status = {Status.SENDING}, attempt = d.attempt + 1,
  lease_until = now() + make_interval(secs => %s::float8)
FROM {bulk.unnest("mine", _MINE)}
WHERE d.id = mine.id AND d.fence = mine.fence AND d.status = {Status.CLAIMED}
RETURNING d.id
"""


def begin(rows: Sequence[Claimed]) -> list[Claimed]:
    """Commit `sending` for rows about to be written; returns those that are still ours."""
    ours = bulk.ids(_BEGIN, [lease_seconds(), *_fences(rows)]) if rows else set()
    return [r for r in rows if r.id in ours]


_BEGIN_ARMED = f"""
UPDATE notifier_delivery d SET status = {Status.SENDING}, attempt = d.attempt + 1, fence = mine.fence
FROM {bulk.unnest("mine", _MINE)}
WHERE d.id = mine.id AND d.status = {Status.ARMED}
RETURNING d.id
"""


def begin_armed(rows: Sequence[Claimed]) -> set[uuid.UUID]:
    """The same for rows of a shard, whose lease and fence are the shard's; returns the ids of those still armed."""
    return bulk.ids(_BEGIN_ARMED, _fences(rows))


_NOT_BEGUN = f"attempt = d.attempt - (d.status = {Status.SENDING})::int"
_OURS = f"d.id = mine.id AND d.fence = mine.fence AND d.status IN ({Status.CLAIMED}, {Status.SENDING})"

_HAND_BACK = f"""
UPDATE notifier_delivery d SET status = {Status.QUEUED}, {_NOT_BEGUN}, lease_until = NULL,
  due_at = greatest(d.due_at, now() + make_interval(secs => %s::float8))
FROM {bulk.unnest("mine", _MINE)} WHERE {_OURS}
"""


def release(rows: Sequence[Claimed], wait: float) -> None:
    """Give rows back that nobody wrote to the wire, due again in `wait` seconds; they keep their turn and their
    attempts."""
    if rows:
        with bulk.cursor() as cursor:
            cursor.execute(_HAND_BACK, [wait, *_fences(rows)], prepare=True)


_TAKE_BACK = f"""
UPDATE notifier_delivery d SET status = {Status.CLAIMED}, {_NOT_BEGUN}
FROM {bulk.unnest("mine", _MINE)} WHERE {_OURS}
"""


def unbegin(rows: Sequence[Claimed]) -> None:
    """Have begun rows merely claimed again: they were not written to the wire, and will not be."""
    if rows:
        with bulk.cursor() as cursor:
            cursor.execute(_TAKE_BACK, _fences(rows), prepare=True)


_RENEW = f"""
UPDATE notifier_delivery d SET lease_until = now() + make_interval(secs => %s::float8)
FROM {bulk.unnest("mine", _MINE)} WHERE {_OURS}
RETURNING d.id
"""


def renew(rows: Sequence[Claimed]) -> list[Claimed]:
    """Lengthen the lease of rows that still wait for an answer; returns those that are still ours."""
    ours = bulk.ids(_RENEW, [lease_seconds(), *_fences(rows)]) if rows else set()
    return [r for r in rows if r.id in ours]


def _fences(rows: Sequence[Claimed]) -> list[Array]:
    return bulk.by_column(_MINE, [(r.id, r.fence) for r in rows])
