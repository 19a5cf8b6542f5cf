"""Deletes messages of the ledger with what belongs to them: events, re-driven dead letters, and what upper packages
register, such as messages of the inbox. Never a message that must stay: one that has not ended, or is a dead letter
that nobody has sent again."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection

from notifier.delivery.ledger.history import not_before
from notifier.delivery.retention.counts import COLUMNS, count_messages
from notifier.vocabulary.status import Status

#: what is not deleted: SQL over the row `d` of the ledger, with the parameter `cutoff`
STAYS = f"""
(d.status < {Status.SENT} OR d.settled_at >= %(cutoff)s OR EXISTS (
  SELECT FROM notifier_deadletter l WHERE l.delivery_id = d.id AND l.redriven_at IS NULL))
"""


class Follower(NamedTuple):
    """What an upper package has of messages. `holds`: those of these ids that must stay; `delete`: deletes what is
    stored of these ids, in the caller's transaction, and returns how many rows."""

    holds: Callable[[Sequence[uuid.UUID]], set[uuid.UUID]]
    delete: Callable[[Sequence[uuid.UUID]], int]


_followers: list[Follower] = []


def register_follower(follower: Follower) -> None:
    """Call it in `AppConfig.ready`."""
    _followers.append(follower)


_LOCK = f"""
SELECT d.id, {STAYS} FROM notifier_delivery d WHERE d.id = ANY(%(ids)s) AND d.id >= %(low)s AND d.id <= %(high)s
ORDER BY d.id FOR UPDATE OF d
"""
_DELETE = f"""
WITH gone AS (
  DELETE FROM notifier_delivery d WHERE d.id = ANY(%(ids)s) AND d.id >= %(low)s AND d.id <= %(high)s
  RETURNING {", ".join(f"d.{name}" for name in COLUMNS)}
)
{count_messages("gone")}
"""
# the trigger refuses the deletion of events otherwise (tenants.database.isolation)
_ALLOW = "SET LOCAL notifier.retention = 'on'"
_EVENTS = "DELETE FROM notifier_deliveryevent WHERE delivery_id = ANY(%(ids)s) AND id >= %(after)s"
_LETTERS = "DELETE FROM notifier_deadletter WHERE delivery_id = ANY(%(ids)s)"


def lock(ids: Sequence[uuid.UUID], cutoff: datetime) -> tuple[list[uuid.UUID], set[uuid.UUID]]:
    """Lock these messages; returns those that exist, and those of them that must stay."""
    if not ids:
        return [], set()
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, {"ids": list(ids), "low": min(ids), "high": max(ids), "cutoff": cutoff})
        rows = cursor.fetchall()
    stay = {delivery_id for delivery_id, stays in rows if stays}
    for follower in _followers:
        stay |= follower.holds([row[0] for row in rows])
    return [row[0] for row in rows], stay


def delete(ids: Sequence[uuid.UUID]) -> int:
    """Delete these locked messages, in the caller's transaction; returns the number of rows of all tables."""
    if not ids:
        return 0
    values: dict[str, Any] = {"ids": list(ids), "low": min(ids), "high": max(ids), "after": not_before(ids)}
    with connection.cursor() as cursor:
        cursor.execute(_ALLOW)
        rows = 0
        for statement in (_EVENTS, _LETTERS):
            cursor.execute(statement, values)
            rows += cursor.rowcount
        cursor.execute(_DELETE, values)
    return rows + len(ids) + sum(follower.delete(ids) for follower in _followers)
