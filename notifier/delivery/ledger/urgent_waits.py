"""How long critical and transactional messages wait for a worker, by provider account; and which channels have one."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import NamedTuple

from notifier.delivery.infra import bulk
from notifier.delivery.ledger.leases import lease_seconds
from notifier.vocabulary.status import Lane, QueuePosition, Status

#: accounts with a backlog that one look visits; an overload shows among so many
MOST_ACCOUNTS = 200
#: a worker shows for so many seconds after it claimed messages, or renewed their leases. No longer than
#: it takes until a wait sheds load (5 s of waiting, then 5 s of overload), so that a killed worker is no overload
SHOWN_SECONDS = 10.0


class UrgentWait(NamedTuple):
    """An account with urgent messages that are due, of which none is in flight."""

    tenant_id: uuid.UUID
    account_id: uuid.UUID
    channel: str
    #: seconds since the oldest of them was due, or since a worker last claimed for the account, if that was later
    seconds: float


_READY = f"d.status = {Status.QUEUED} AND d.queue_position = {QueuePosition.HAS_TURN}"
# by lane, because the index has the lane before the time: each is one probe, however long the backlog is
_OLDEST = ", ".join(
    f"(SELECT d.due_at FROM notifier_delivery d WHERE d.channel = %(channel)s AND d.account_id = p.id"
    f" AND d.lane = {lane} AND {_READY} ORDER BY d.due_at LIMIT 1)"
    for lane in (Lane.CRITICAL, Lane.TRANSACTIONAL)
)

# The recursive part visits each account with backlog once, by the index of the claim. An account that a worker serves
# does not wait for one, however long its own queue is: a tenant that sends more than its provider takes is no overload.
_WAITS = f"""
WITH RECURSIVE backlog (account_id) AS (
  (SELECT d.account_id FROM notifier_delivery d WHERE d.channel = %(channel)s AND {_READY} ORDER BY 1 LIMIT 1)
  UNION ALL
  SELECT (SELECT d.account_id FROM notifier_delivery d
          WHERE d.channel = %(channel)s AND {_READY} AND d.account_id > b.account_id ORDER BY 1 LIMIT 1)
  FROM backlog b WHERE b.account_id IS NOT NULL
), accounts AS (SELECT account_id FROM backlog WHERE account_id IS NOT NULL LIMIT {MOST_ACCOUNTS})
SELECT p.tenant_id, p.id, extract(epoch FROM statement_timestamp() - greatest(oldest.due_at, p.served_at))::float8
FROM accounts a JOIN notifier_provideraccount p ON p.id = a.account_id AND p.enabled
CROSS JOIN LATERAL (SELECT least({_OLDEST}) AS due_at) oldest
WHERE oldest.due_at <= statement_timestamp() AND NOT EXISTS (
  SELECT 1 FROM notifier_delivery f WHERE f.account_id = p.id
  AND f.status IN ({Status.CLAIMED}, {Status.SENDING}) AND f.lease_until IS NOT NULL)
"""


def read_waits(channels: Sequence[str]) -> list[UrgentWait]:
    """The accounts of these channels that wait. A channel without a backlog costs 0.27 ms of CPU (PostgreSQL 0.18),
    each account with one 0.09 ms more (measured with 40)."""
    waits: list[UrgentWait] = []
    with bulk.cursor() as cursor:
        for channel in channels:
            cursor.execute(_WAITS, {"channel": channel}, prepare=True)
            rows = cursor.fetchall()
            waits += [UrgentWait(tenant, account, channel, seconds) for tenant, account, seconds in rows]
    return waits


# Not by `served_at`: workers of the bulk queue set it, too. A worker with a backlog of urgent messages has some of them
# in flight. The index of rows in flight is small: planning takes 1 ms, executing 0.2. The statement runs only while
# messages wait. Each run is planned anew, because a plan made for an empty partition reads the whole partition later
_SERVED = f"""
SELECT DISTINCT d.channel FROM notifier_delivery d
WHERE d.status IN ({Status.CLAIMED}, {Status.SENDING}) AND d.lease_until IS NOT NULL
  AND d.lane IN ({Lane.CRITICAL}, {Lane.TRANSACTIONAL})
  AND d.lease_until > statement_timestamp() + make_interval(secs => %s::float8)
"""


def read_served_channels() -> frozenset[str]:
    """The channels in which a worker has urgent messages in flight, claimed or renewed within SHOWN_SECONDS."""
    with bulk.cursor() as cursor:
        cursor.execute(_SERVED, [lease_seconds() - SHOWN_SECONDS], prepare=False)
        return frozenset(channel for (channel,) in cursor.fetchall())
