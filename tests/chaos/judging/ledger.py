"""What the database says. It may be away at any time: each question opens a connection of its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import psycopg

from notifier.channels.queues import channel_and_lanes
from notifier.vocabulary.status import Status
from tests.chaos.judging.invariants import Message
from tests.chaos.judging.watch import INSTALL

T = TypeVar("T")

#: rows that cross the line between two tenants, by what was joined
_JOINED = (
    ("notifier_delivery", "recipient_id", "tenants_recipient"),
    ("notifier_delivery", "campaign_id", "campaigns_campaign"),
    ("notifier_delivery", "notification_id", "notifier_notification"),
    ("notifier_notification", "recipient_id", "tenants_recipient"),
    ("inbox_inboxmessage", "recipient_id", "tenants_recipient"),
    ("inbox_feed", "recipient_id", "tenants_recipient"),
    ("campaigns_shard", "campaign_id", "campaigns_campaign"),
)
_CROSSING = " UNION ALL ".join(
    f"SELECT '{table} with a {column} of another tenant', count(*) FROM {table} d JOIN {other} o ON o.id = d.{column}"
    " WHERE d.tenant_id <> o.tenant_id"
    for table, column, other in _JOINED
)
# a snoozed message would leave a gap when it comes back; nobody snoozes here
_GAPS = """
SELECT count(*) FROM (
  SELECT recipient_id, count(*) AS rows, max(seq) AS newest, count(DISTINCT seq) AS numbers
  FROM inbox_inboxmessage GROUP BY recipient_id) m
FULL JOIN inbox_feed f USING (recipient_id)
WHERE COALESCE(m.rows, 0) <> COALESCE(f.last_seq, 0) OR m.newest <> m.rows OR m.numbers <> m.rows
"""
_OF_RUN = "(campaign_id = ANY(%(campaigns)s::uuid[]) OR notification_id = ANY(%(notifications)s::uuid[]))"
_MESSAGES = f"""
SELECT d.id::text, t.slug, d.channel, d.address, d.status, d.reason, i.id IS NOT NULL, d.due_at > now()
FROM notifier_delivery d JOIN tenants_tenant t ON t.id = d.tenant_id LEFT JOIN inbox_inboxmessage i ON i.id = d.id
WHERE {_OF_RUN}
"""
_UNFINISHED = f"SELECT count(*) FROM notifier_delivery d WHERE {_OF_RUN} AND status < {int(Status.SENT)}"
_OPEN_CAMPAIGNS = (
    "SELECT count(*) FROM campaigns_campaign WHERE id = ANY(%(campaigns)s::uuid[]) AND accounted_at IS NULL"
)
_COMPLETIONS = """
SELECT c.id::text, count(a.id) FROM campaigns_campaign c
LEFT JOIN tenants_auditlog a ON a.object_id = c.id::text AND a.action IN ('campaign.finished', 'campaign.cancelled')
WHERE c.id = ANY(%(campaigns)s::uuid[]) GROUP BY c.id
"""
_SHARDS_IN_FLIGHT = """
SELECT COALESCE(sum(begun - sent - failed - requeued), 0) FROM campaigns_shard
WHERE state = 'running' AND worker ~ %s
"""
_ROWS_IN_FLIGHT = f"""
SELECT count(*) FROM notifier_delivery
WHERE status = {int(Status.SENDING)} AND lease_until IS NOT NULL AND channel = %s AND lane = ANY(%s)
"""

_BEGUN = """
SELECT (SELECT COALESCE(sum(begun), 0) FROM campaigns_shard) + (SELECT COALESCE(sum(attempt), 0) FROM notifier_delivery)
"""
_WAIT = "SELECT extract(epoch FROM max(due_at) - now()) FROM notifier_delivery WHERE notification_id = %(notification)s"
_SHARDS = "SELECT id::text, channel FROM campaigns_shard WHERE campaign_id = ANY(%(campaigns)s::uuid[])"
_NEWEST = """
SELECT r.external_id, f.last_seq FROM inbox_feed f JOIN tenants_recipient r ON r.id = f.recipient_id
JOIN tenants_tenant t ON t.id = f.tenant_id WHERE t.slug = %(tenant)s
"""


#: queues whose workers send nothing; and an inbox has one row for a message, however often it is stored
_REPEATS_NOTHING = ("control", "batch", "receipts", "in_app", "in_app.bulk")


class Run(NamedTuple):
    """What one load sent."""

    campaigns: Sequence[str]
    notifications: Sequence[str]


@dataclass(frozen=True)
class Ledger:
    url: str

    def ask(self, do: Callable[[psycopg.Connection[Any]], T]) -> T:
        """Raises psycopg.OperationalError while PostgreSQL is away."""
        with psycopg.connect(self.url, autocommit=True, connect_timeout=10) as connection:
            return do(connection)

    def install_watch(self) -> None:
        self.ask(lambda connection: connection.execute(INSTALL))

    def in_flight(self, worker: str) -> int:
        """Messages that the processes of this program (`worker:push.bulk`, `worker:push:1`) have begun, and whose
        outcome nobody has written: what kill -9 may repeat."""
        kind, _, rest = worker.partition(":")
        queue, _, number = rest.partition(":")
        if kind != "worker" or queue in _REPEATS_NOTHING:
            return 0
        channel, lanes = channel_and_lanes(queue)
        node = rf"^{re.escape(queue)}-{number or '[0-9]+'}@"

        def count(connection: psycopg.Connection[Any]) -> int:
            shards = connection.execute(_SHARDS_IN_FLIGHT, [node]).fetchone()
            rows = connection.execute(_ROWS_IN_FLIGHT, [channel, [int(lane) for lane in lanes]]).fetchone()
            return int((shards or [0])[0]) + int((rows or [0])[0])

        return self.ask(count)

    def begun(self) -> int:
        """How many requests were begun, of all messages."""
        return self._number(_BEGUN, {})

    def connections(self) -> int:
        return self._number("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'", {})

    def longest_wait(self, notification: str) -> float:
        """Seconds until the message of this notification is due; 0 when it does not wait."""
        return float(self._number(_WAIT, {"notification": notification}))

    def shards(self, campaigns: Sequence[str]) -> list[tuple[str, str]]:
        """Id and channel of each shard."""
        return self.ask(lambda connection: connection.execute(_SHARDS, {"campaigns": list(campaigns)}).fetchall())

    def newest_in_inboxes(self, tenant: str) -> dict[str, int]:
        """The newest number of each inbox, by the recipient's external id."""
        return self.ask(lambda connection: dict(connection.execute(_NEWEST, {"tenant": tenant}).fetchall()))

    def unfinished(self, run: Run) -> int:
        """Messages that have no final status, and campaigns that are not closed."""

        def count(connection: psycopg.Connection[Any]) -> int:
            return sum(
                int(row[0]) for sql in (_UNFINISHED, _OPEN_CAMPAIGNS) for row in connection.execute(sql, _of(run))
            )

        return self.ask(count)

    def messages(self, run: Run) -> list[Message]:
        return self.ask(lambda connection: [Message(*row) for row in connection.execute(_MESSAGES, _of(run))])

    def completions(self, run: Run) -> dict[str, int]:
        """How often each campaign was closed."""
        return self.ask(lambda connection: dict(connection.execute(_COMPLETIONS, _of(run)).fetchall()))

    def _number(self, sql: str, values: dict[str, Any]) -> int:
        return self.ask(lambda connection: int((connection.execute(sql, values).fetchone() or [0])[0] or 0))

    def strangers(self) -> dict[str, int]:
        rows = self.ask(lambda connection: connection.execute(_CROSSING).fetchall())
        return {what: count for what, count in rows if count}

    def inbox_gaps(self) -> int:
        return self._number(_GAPS, {})

    def take_violations(self) -> list[str]:
        """The forbidden changes since the last call."""
        return self.ask(
            lambda connection: [
                str(row[0]) for row in connection.execute("DELETE FROM chaos_violation RETURNING what").fetchall()
            ]
        )


def _of(run: Run) -> dict[str, list[str]]:
    return {"campaigns": list(run.campaigns), "notifications": list(run.notifications)}


def in_flight_of(ledger: Ledger, workers: Iterable[str]) -> int:
    return sum(ledger.in_flight(worker) for worker in workers)
