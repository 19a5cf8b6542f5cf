"""Consent changes that an earlier plan has not seen: of named recipients and addresses, or of a whole tenant when they
are few, so that a caller with a thousand recipients need not name them. The engine's `recheck` and the senders of
campaigns call this.

**What a plan has not seen.** `at` is the time of a change, and its transaction commits later. So a plan that reads the
database at `since` misses the changes that are made after `since`, and those of transactions that run at `since`. Two
ways to name them:

* Acceptance notes only its time. It believes that no transaction runs for longer than OVERLAP.
* Arming notes the running transactions as well (`note_unseen`), so changes that were committed before are never read
  again. An import that changed 200,000 recipients just before would else cost each shard 0.2 s of PostgreSQL a look,
  and each of its messages a new plan.

**Why `note_unseen` misses nothing.** It reads, in this order, the clock (`since`), a snapshot, and a transaction id
that PostgreSQL assigns anew. Arming plans afterwards, so it sees what the snapshot sees. Take a change that the
snapshot does not see, and the id of its transaction, which PostgreSQL assigned before it stored the change:

* The id is smaller than the new id: it is in the snapshot's list of running transactions, or not below the snapshot's
  `xmax`. All of these are in `transactions`.
* The id is larger: PostgreSQL assigned it later than the new id, so the change has an `at` after `since`.

The trigger stores the id of the top transaction (`pg_current_xact_id`), not of a savepoint, and the snapshot lists top
transactions.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection

from notifier.delivery.infra import bulk

#: for a consent change whose transaction began before the acceptance and committed after it
OVERLAP = timedelta(minutes=10)

#: a tenant's changes are few up to this number
FEW = 1_000

Changes = tuple[set[uuid.UUID], set[str]]  #: recipients, addresses


@dataclass(frozen=True)
class Unseen:
    """The consent changes that a plan may not have seen: those since `since`, and those of `transactions`, which ran
    then."""

    since: datetime
    transactions: Sequence[int] = ()


_RECIPIENTS = "(recipient_id = ANY(%(recipients)b::uuid[]) OR address = ANY(%(addresses)b::text[]))"
_SINCE = "SELECT recipient_id, address FROM tenants_consentchange WHERE tenant_id = %(tenant)s AND at >= %(since)s"
_OF_TRANSACTIONS = """
SELECT recipient_id, address FROM tenants_consentchange
WHERE tenant_id = %(tenant)s AND transaction_id = ANY(%(transactions)s::bigint[]) AND at < %(since)s
"""
_CHANGED = f"{_SINCE} AND {_RECIPIENTS}"
# ORDER BY: without it PostgreSQL reads a table from its beginning when most of its rows are of this tenant, 7 ms for
# 60,000 older changes instead of 0.9
_UNSEEN = f"""
({_SINCE} ORDER BY at LIMIT %(most)s) UNION ALL ({_OF_TRANSACTIONS} ORDER BY transaction_id LIMIT %(most)s)
"""
_UNSEEN_OF = f"{_SINCE} AND {_RECIPIENTS} UNION ALL {_OF_TRANSACTIONS} AND {_RECIPIENTS}"

_RUNNING = """
SELECT running::text::bigint FROM pg_snapshot_xip(%(snapshot)s::pg_snapshot) running
UNION ALL SELECT generate_series(pg_snapshot_xmax(%(snapshot)s::pg_snapshot)::text::bigint, %(new)s - 1)
"""


def note_unseen() -> Unseen:
    """What a plan that begins now does not see. Inside of a transaction, which may have an id already, it is what was
    changed within OVERLAP."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        (since,) = cursor.fetchone()
        if connection.in_atomic_block:
            return Unseen(since - OVERLAP)
        cursor.execute("SELECT pg_current_snapshot()::text, pg_current_xact_id()::text::bigint")
        snapshot, new = cursor.fetchone()
        cursor.execute(_RUNNING, {"snapshot": snapshot, "new": new})
        return Unseen(since, [transaction_id for (transaction_id,) in cursor.fetchall()])


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
    return {"tenant": tenant_id, "since": unseen.since, "transactions": list(unseen.transactions)}


def _changes(rows: Sequence[tuple[uuid.UUID | None, str]]) -> Changes:
    return {recipient_id for recipient_id, _ in rows if recipient_id}, {address for _, address in rows if address}
