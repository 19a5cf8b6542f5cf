"""Consent changes that an earlier plan has not seen: of named recipients and addresses, or of a whole tenant when they
are few, so that a caller with a thousand recipients need not name them. The engine's `recheck` and the senders of
campaigns call this.

**What a plan has not seen.** `at` is the time of a change, and its transaction commits later. So a plan that reads the
database at `since` misses the changes that are made after `since`, and those of transactions that run at `since`. Two
ways to name them:

* Acceptance notes only its time. It believes that no transaction runs for longer than OVERLAP.
* Arming notes a snapshot as well (`note_unseen`), so changes that were committed before are never read again. An import
  that changed 200,000 recipients just before would else cost each shard 0.2 s of PostgreSQL a look, and each of its
  messages a new plan.

**Why `note_unseen` misses nothing.** Arming plans after the snapshot, so it sees what the snapshot sees. A change that
the snapshot does not see has the id of a transaction that the snapshot lists as running (`transactions`), or an id that
is not below the snapshot's `xmax` (`next_transaction`). The trigger stores the id of the top transaction
(`pg_current_xact_id`), not of a savepoint, and the snapshot lists top transactions. No clock takes part: the server's
clock may go back, as after a failover to a server whose clock is behind.

**Why `since` is needed, too.** A dump that is restored into a new server keeps the ids of old changes, while the ids of
new transactions begin anew, below `next_transaction`.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from notifier.delivery.infra import bulk

#: for a consent change whose transaction began before the acceptance and committed after it
OVERLAP = timedelta(minutes=10)

#: a tenant's changes are few up to this number
FEW = 1_000

Changes = tuple[set[uuid.UUID], set[str]]  #: recipients, addresses


@dataclass(frozen=True)
class Unseen:
    """The consent changes that a plan may not have seen: those since `since`, those of `transactions`, which ran then,
    and those of transactions whose id is not below `next_transaction` (None: no id says so)."""

    since: datetime
    transactions: Sequence[int] = ()
    next_transaction: int | None = None


_RECIPIENTS = "(recipient_id = ANY(%(recipients)b::uuid[]) OR address = ANY(%(addresses)b::text[]))"
_CHANGES = "SELECT {columns} FROM tenants_consentchange WHERE tenant_id = %(tenant)s AND "
_SINCE = _CHANGES + "at >= %(since)s"
_OF_TRANSACTIONS = _CHANGES + "transaction_id = ANY(%(transactions)s::bigint[])"
_OF_LATER_TRANSACTIONS = _CHANGES + "transaction_id >= %(next_transaction)s::bigint"
_CHANGED = f"{_SINCE} AND {_RECIPIENTS}".format(columns="recipient_id, address")
# ORDER BY: without it PostgreSQL reads a table from its beginning when most of its rows are of this tenant, 7 ms for
# 60,000 older changes instead of 0.9. UNION, and the id: two of the queries find nearly every change. A condition that
# leaves these out of one query would make it read all of them, whatever its LIMIT
_UNSEEN = f"""
({_SINCE} ORDER BY at LIMIT %(most)s)
UNION ({_OF_TRANSACTIONS} ORDER BY transaction_id LIMIT %(most)s)
UNION ({_OF_LATER_TRANSACTIONS} ORDER BY transaction_id LIMIT %(most)s)
""".format(columns="recipient_id, address, id")
_UNSEEN_OF = f"""
{_SINCE} AND {_RECIPIENTS}
UNION ALL {_OF_TRANSACTIONS} AND at < %(since)s AND {_RECIPIENTS}
UNION ALL {_OF_LATER_TRANSACTIONS} AND at < %(since)s AND {_RECIPIENTS}
""".format(columns="recipient_id, address")

_NOTE = """
SELECT clock_timestamp(), pg_snapshot_xmax(s)::text::bigint,
       ARRAY(SELECT running::text::bigint FROM pg_snapshot_xip(s) running)
FROM pg_current_snapshot() s
"""


def note_unseen() -> Unseen:
    """What a plan that begins now does not see. Inside of a transaction, whose snapshot may be older, it is what was
    changed within OVERLAP."""
    with connection.cursor() as cursor:
        cursor.execute(_NOTE)
        since, next_transaction, running = cursor.fetchone()
    return Unseen(since - OVERLAP) if connection.in_atomic_block else Unseen(since, running, next_transaction)


def changed_since(
    tenant_id: uuid.UUID, since: datetime, recipients: Sequence[uuid.UUID], addresses: Sequence[str]
) -> Changes:
    """Which of these recipients and addresses have a ConsentChange that an acceptance at `since` did not see; one
    query, by the index on (tenant, at)."""
    values = {"recipients": list(recipients), "addresses": list(addresses)}
    with bulk.cursor() as cursor:
        cursor.execute(_CHANGED, {"tenant": tenant_id, "since": since - OVERLAP, **values}, prepare=True)
        return _changes(cursor.fetchall())


def few_changes(tenant_id: uuid.UUID, since: datetime) -> Changes | None:
    """Recipients and addresses that have a ConsentChange that an acceptance at `since` did not see; None when the
    changes are more than FEW."""
    return few_unseen(tenant_id, Unseen(since - OVERLAP))


def few_unseen(tenant_id: uuid.UUID, unseen: Unseen) -> Changes | None:
    """Recipients and addresses that have one of these consent changes; None when the changes are more than FEW."""
    with bulk.cursor() as cursor:
        cursor.execute(_UNSEEN, {**_values(tenant_id, unseen), "most": FEW + 1}, binary=True)
        rows = cursor.fetchall()
    return None if len(rows) > FEW else _changes(rows)


def unseen_of(
    tenant_id: uuid.UUID, unseen: Unseen, recipients: Sequence[uuid.UUID], addresses: Sequence[str]
) -> Changes:
    """Which of these recipients and addresses have one of these consent changes."""
    values = {**_values(tenant_id, unseen), "recipients": list(recipients), "addresses": list(addresses)}
    with bulk.cursor() as cursor:
        cursor.execute(_UNSEEN_OF, values, binary=True)
        return _changes(cursor.fetchall())


def _values(tenant_id: uuid.UUID, unseen: Unseen) -> dict[str, object]:
    return {
        "tenant": tenant_id,
        "since": unseen.since,
        "transactions": list(unseen.transactions),
        "next_transaction": unseen.next_transaction,
    }


def _changes(rows: Sequence[tuple[Any, ...]]) -> Changes:
    """`rows` begin with a recipient or None, and an address."""
    return {row[0] for row in rows if row[0]}, {row[1] for row in rows if row[1]}
