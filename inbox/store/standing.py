"""How the recipients of open sockets stand, with the counters of their inboxes: one statement for many sockets."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from inbox.store.counters import COLUMNS, Counters, from_row
from inbox.tokens import Claimed, Standing
from notifier.delivery.infra import bulk
from notifier.delivery.infra.pg_arrays import pack

# each tenant of the scope sees its own rows; the join ties a recipient to the tenant that owns it
_COUNTERS = ", ".join(f"f.{column}" for column in COLUMNS)
_STATEMENT = f"""
SELECT r.tenant_id, r.id, r.external_id, r.status, t.active, t.inbox_secret, {_COUNTERS}::text
FROM tenants_recipient r JOIN tenants_tenant t ON t.id = r.tenant_id
LEFT JOIN inbox_feed f ON f.recipient_id = r.id
WHERE r.id = ANY (%b)
"""
_STANDING = 2 + len(Standing._fields)


class Checked(NamedTuple):
    """One recipient, as the table has them."""

    standing: Standing
    #: the columns of the counters; None for a recipient without an inbox
    counted: tuple[Any, ...] | None

    @property
    def counters(self) -> Counters:
        return from_row(self.counted) if self.counted is not None else Counters()

    def is_newer_than(self, counters: Counters) -> bool:
        """Whether the inbox has changed. Most checks find no change, and decoding the counters takes longer than the
        rest of a check."""
        return self.counted is not None and self.counted[0] + self.counted[1] > counters.last_seq + counters.revision


def check(recipients: Collection[uuid.UUID]) -> Mapping[Claimed, Checked]:
    """The recipients that there are, by tenant and id. Runs in a scope that shows all their tenants."""
    with bulk.cursor() as cursor:
        cursor.execute(_STATEMENT, [pack("uuid", list(recipients))], binary=True, prepare=True)
        rows = cursor.fetchall()
    return {
        Claimed(row[0], row[1]): Checked(
            Standing(*row[2:_STANDING]), row[_STANDING:] if row[_STANDING] is not None else None
        )
        for row in rows
    }
