"""The order of acceptance of each recipient's messages, by channel, lane and mode. The row of an ordering queue is its
lock; one delivery of the queue has the turn.

A claim that asked instead "no older unfinished row of this recipient" was measured at 7 ms for 500 rows as a rule, and
at 11.8 s when one recipient had 20,000 rows: one tenant could stop a channel.
Every writer locks the rows of its queues first, in the order of their keys, so there is no deadlock and no lost turn.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, NamedTuple

from notifier.delivery.infra import bulk
from notifier.delivery.infra.pg_arrays import Array
from notifier.vocabulary.status import QueuePosition, Status

#: (tenant, recipient, channel, lane, mode); live messages never wait for those of a test key
Key = tuple[uuid.UUID, uuid.UUID, str, int, str]


@dataclass
class OrderingQueue:
    """The state of one queue; its fields are the columns _STATE."""

    id: int
    unfinished: int
    turn_taken: bool


#: (recipient, channel, lane, mode): a Key within one tenant
OwnKey = tuple[uuid.UUID, str, int, str]


@dataclass(slots=True)
class Joined:
    """A queue that messages of one call join: how many, and whether the first of them takes the turn if the turn is
    free. Its fields are the columns _JOINED."""

    recipient_id: uuid.UUID
    channel: str
    lane: int
    mode: str
    added: int = 0
    takes_turn: bool = False


class Answer(NamedTuple):
    """A queue after the statement JOIN."""

    key: OwnKey
    unfinished: int
    turn_was_taken: bool


_KEY: bulk.Columns = {
    "tenant_id": "uuid", "recipient_id": "uuid", "channel": "text", "lane": "smallint", "mode": "text",
}  # fmt: skip
_STATE: bulk.Columns = {"id": "bigint", "unfinished": "integer", "turn_taken": "boolean"}
_NAMES = ", ".join(_KEY)
#: the columns of a Key, of `notifier_orderingqueue l`
KEY_COLUMNS = ", ".join(f"l.{name}" for name in _KEY)
_ALL_COLUMNS = ", ".join(f"l.{name}" for name in [*_KEY, *_STATE])
_KEYS = bulk.unnest("k", _KEY)

_OWN_KEY = tuple(_KEY)[1:]
_JOINED: bulk.Columns = {**{name: _KEY[name] for name in _OWN_KEY}, "added": "integer", "takes_turn": "boolean"}
_values_of = attrgetter(*_JOINED)
_OWN_NAMES = ", ".join(_OWN_KEY)
#: the columns of an Answer
ANSWER = f"{_OWN_NAMES}, unfinished, turn_was_taken"


# Locks each queue, and writes it once. The first parameter is the tenant. `turn_was_taken` tells whether the turn was
# free
JOIN = f"""
INSERT INTO notifier_orderingqueue AS l ({_NAMES}, unfinished, turn_taken)
SELECT %b::uuid, {_OWN_NAMES}, added, takes_turn FROM {bulk.unnest("k", _JOINED)} ORDER BY {_OWN_NAMES}
ON CONFLICT ({_NAMES}) DO UPDATE SET unfinished = l.unfinished + excluded.unfinished,
  turn_was_taken = l.turn_taken, turn_taken = l.turn_taken OR excluded.turn_taken
RETURNING {", ".join(f"l.{name}" for name in _OWN_KEY)}, l.unfinished, l.turn_was_taken
"""
_LEAVE = f"""
UPDATE notifier_orderingqueue l SET unfinished = l.unfinished - k.added, turn_taken = l.turn_was_taken
FROM {bulk.unnest("k", _JOINED)}
WHERE l.tenant_id = %s AND ({", ".join(f"l.{name}" for name in _OWN_KEY)}) = ({", ".join(f"k.{n}" for n in _OWN_KEY)})
RETURNING {_ALL_COLUMNS}
"""

# DO UPDATE, because DO NOTHING would neither lock nor return a row that exists already
_LOCK_OR_CREATE = f"""
INSERT INTO notifier_orderingqueue AS l ({_NAMES}, unfinished, turn_taken)
SELECT {_NAMES}, 0, false FROM {_KEYS} ORDER BY {_NAMES}
ON CONFLICT ({_NAMES}) DO UPDATE SET turn_taken = l.turn_taken
RETURNING {_ALL_COLUMNS}
"""

_LOCK = f"""
SELECT {_ALL_COLUMNS} FROM notifier_orderingqueue l JOIN {_KEYS} USING ({_NAMES})
ORDER BY {KEY_COLUMNS} FOR UPDATE OF l
"""

_SAVE = f"""
UPDATE notifier_orderingqueue l SET unfinished = v.unfinished, turn_taken = v.turn_taken
FROM {bulk.unnest("v", _STATE)} WHERE l.id = v.id
"""

# The oldest waiting row of each queue whose turn is free takes the turn.
_PASS_ON = f"""
WITH next AS (
  SELECT l.id AS queue_id, d.id FROM notifier_orderingqueue l CROSS JOIN LATERAL (
    SELECT d.id FROM notifier_delivery d
    WHERE d.recipient_id = l.recipient_id AND d.channel = l.channel AND d.lane = l.lane AND d.mode = l.mode
      AND d.tenant_id = l.tenant_id AND d.status = {Status.QUEUED} AND d.queue_position = {QueuePosition.WAITING}
    ORDER BY d.seq LIMIT 1) d
  WHERE l.id = ANY(%b::bigint[]) AND NOT l.turn_taken
), turned AS (
  UPDATE notifier_delivery d SET queue_position = {QueuePosition.HAS_TURN} FROM next WHERE d.id = next.id
  RETURNING d.channel, d.lane
), marked AS (
  UPDATE notifier_orderingqueue l SET turn_taken = true FROM next WHERE l.id = next.queue_id
)
SELECT DISTINCT channel, lane FROM turned
"""


def lock(keys: Iterable[Key], *, create_missing: bool = False) -> dict[Key, OrderingQueue]:
    """Lock these queues until the end of the transaction; `create_missing` creates those that do not exist yet."""
    distinct = set(keys)
    if not distinct:
        return {}
    with bulk.cursor() as cursor:
        cursor.execute(
            _LOCK_OR_CREATE if create_missing else _LOCK, bulk.by_column(_KEY, distinct), binary=True, prepare=True
        )
        return dict(map(_key_and_queue, cursor.fetchall()))


def by_column(joined: Collection[Joined]) -> list[Array]:
    """The rows as the parameters of `unnest`."""
    return bulk.by_column(_JOINED, map(_values_of, joined))


def answer_of(row: Sequence[Any]) -> Answer:
    """The Answer of one row of ANSWER."""
    recipient_id, channel, lane, mode, unfinished, turn_was_taken = row
    return Answer((recipient_id, channel, lane, mode), unfinished, turn_was_taken)


def leave(tenant_id: uuid.UUID, joined: Collection[Joined]) -> dict[OwnKey, OrderingQueue]:
    """Undo what JOIN did with these queues earlier in this transaction: the queues as they were, still locked."""
    with bulk.cursor() as cursor:
        cursor.execute(_LEAVE, [*by_column(joined), tenant_id], binary=True)
        return {key[1:]: queue for key, queue in map(_key_and_queue, cursor.fetchall())}


def _key_and_queue(row: tuple[Any, ...]) -> tuple[Key, OrderingQueue]:
    """The queue of one row of _ALL_COLUMNS. By slices a row costs 0.38 µs, by numbers 0.33."""
    return row[: len(_KEY)], OrderingQueue(*row[len(_KEY) :])


def save(queues: Iterable[OrderingQueue]) -> None:
    """Write locked queues back."""
    rows = list(queues)
    if rows:
        with bulk.cursor() as cursor:
            values = [(queue.id, queue.unfinished, queue.turn_taken) for queue in rows]
            cursor.execute(_SAVE, bulk.by_column(_STATE, values), prepare=True)


def pass_on(queue_ids: Sequence[int]) -> list[tuple[str, int]]:
    """Give each free turn of these locked queues to its oldest waiting row; returns (channel, lane) of rows that may
    leave now."""
    if not queue_ids:
        return []
    with bulk.cursor() as cursor:
        cursor.execute(_PASS_ON, [list(queue_ids)], prepare=True)
        return list(cursor.fetchall())
