"""A week of a busy installation in two minutes, and how much of its tables and indexes is empty afterwards.

    python -m tests.retention.bloat --per-day 30000

A hundred messages at a time are accepted, claimed, begun, retried (10 %), settled, reported and read, and what is
older than two days is deleted, as by a tenant that keeps messages for two days: the most deletions that there can be.
A table is vacuumed when autovacuum would do it, by the storage parameters of the table. At the end VACUUM FULL writes
tables and indexes anew; what became smaller was empty.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

#: messages of one step: few, because a message lives for milliseconds, and its old versions are gone with the next ones
STEP = 100
DAY_MS = 86_400_000
KEPT_DAYS = 2
#: steps between two looks of autovacuum
LOOK = 5
#: people among whom the messages go
PEOPLE = 2_000

_ID = "(lpad(to_hex(%(ms)s::bigint + n), 12, '0') || '7' || substr(md5(random()::text), 1, 3) || 'a'"
_NEW_ID = _ID + " || substr(md5(random()::text), 1, 15))::uuid"

_ACCEPT = f"""
WITH new AS (
  SELECT {_NEW_ID} AS id, {_NEW_ID} AS notification, people.ids[1 + floor(random() * {PEOPLE})::int] AS recipient
  FROM generate_series(1, %(count)s) n, (SELECT %(people)s::uuid[] AS ids) people
), queues AS (
  INSERT INTO notifier_orderingqueue AS q (tenant_id, recipient_id, channel, lane, mode, unfinished, turn_taken)
  SELECT %(tenant)s, recipient, 'in_app', 1, 'live', count(*), true FROM new GROUP BY recipient ORDER BY recipient
  ON CONFLICT (tenant_id, recipient_id, channel, lane, mode) DO UPDATE
  SET unfinished = q.unfinished + EXCLUDED.unfinished, turn_taken = true
), requests AS (
  INSERT INTO notifier_notification (id, tenant_id, recipient_id, version_id, category, mode, lane, data, group_key,
    created_at)
  SELECT notification, %(tenant)s, recipient, %(tenant)s, 'orders', 'live', 1, '{{"order": "12345678"}}', '', now()
  FROM new
), keys AS (
  INSERT INTO tenants_idempotencykey (id, tenant_id, mode, key, endpoint, body_digest, status, response, created_at)
  SELECT id, %(tenant)s, 'live', id::text, 'notifications', '\\x00', 202, '{{"id": "0"}}', now() FROM new
)
INSERT INTO notifier_delivery (id, tenant_id, notification_id, recipient_id, category, channel, platform, address,
  account_id, lane, status, reason, detail, mode, content, attempt, due_at, fence, seq, queue_position, provider_ref,
  accepted_at)
SELECT id, %(tenant)s, notification, recipient, 'orders', 'in_app', '', recipient::text, %(tenant)s, 1, 10, '', '',
  'live', '{{"title": "Your order", "body": "It is on its way to you, and arrives tomorrow."}}', 0, now(), 0, 0, 1, '',
  now()
FROM new
"""
_OF_STEP = "id >= %(low)s AND id < %(high)s"
_STEPS = (
    f"UPDATE notifier_delivery SET status = 20, lease_until = now(), fence = fence + 1 WHERE {_OF_STEP}",
    f"UPDATE notifier_delivery SET status = 30, attempt = attempt + 1 WHERE {_OF_STEP}",
    # a tenth is tried again
    f"UPDATE notifier_delivery SET status = 10, due_at = now(), reason = 'x' WHERE {_OF_STEP} AND random() < 0.1",
    f"UPDATE notifier_delivery SET status = 30, attempt = attempt + 1, reason = '' WHERE {_OF_STEP} AND status = 10",
    f"UPDATE notifier_delivery SET status = 40, settled_at = now(), lease_until = NULL WHERE {_OF_STEP}",
    "UPDATE notifier_orderingqueue SET unfinished = 0, turn_taken = false WHERE turn_taken",
    f"UPDATE notifier_delivery SET status = 50 WHERE {_OF_STEP}",
    f"""INSERT INTO inbox_feed AS f (recipient_id, tenant_id, last_seq, unread, unseen)
        SELECT recipient_id, tenant_id, count(*), count(*), count(*) FROM notifier_delivery WHERE {_OF_STEP}
        GROUP BY 1, 2 ORDER BY 1
        ON CONFLICT (recipient_id) DO UPDATE SET last_seq = f.last_seq + EXCLUDED.last_seq,
          unread = f.unread + EXCLUDED.unread, unseen = f.unseen + EXCLUDED.unseen""",
    f"""INSERT INTO inbox_inboxmessage (id, tenant_id, recipient_id, seq, category, title, body, link, data,
          created_at)
        SELECT id, tenant_id, recipient_id, row_number() OVER (), 'orders', 'Your order', 'It is on its way.', '',
          '{{}}', now() FROM notifier_delivery WHERE {_OF_STEP}""",
    f"UPDATE inbox_inboxmessage SET state = 1, read_at = now() WHERE {_OF_STEP} AND random() < 0.3",
    "UPDATE inbox_feed SET unseen = 0, seen_seq = last_seq WHERE unseen > 0 AND random() < 0.5",
    f"""INSERT INTO notifier_deliveryevent (id, tenant_id, delivery_id, what, detail, at)
        SELECT id, tenant_id, id, 'read', '', now() FROM notifier_delivery WHERE {_OF_STEP} AND random() < 0.3""",
)
_OLD = (
    "SELECT set_config('notifier.retention', 'on', false)",
    *(
        f"DELETE FROM {table} WHERE id < %(old)s"
        for table in (
            "notifier_deliveryevent", "inbox_inboxmessage", "notifier_delivery", "notifier_notification",
            "tenants_idempotencykey",
        )
    ),
)  # fmt: skip

TABLES = (
    "notifier_delivery", "notifier_deliveryevent", "notifier_notification", "notifier_orderingqueue", "inbox_feed",
    "inbox_inboxmessage", "tenants_idempotencykey",
)  # fmt: skip

# autovacuum's own rule (PostgreSQL, "The Autovacuum Daemon"), with the table's parameters
_DUE = """
SELECT c.oid::regclass::text FROM pg_class c JOIN pg_stat_all_tables s ON s.relid = c.oid
WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND s.n_dead_tup >
  coalesce((SELECT option_value::float FROM pg_options_to_table(c.reloptions)
            WHERE option_name = 'autovacuum_vacuum_threshold'), current_setting('autovacuum_vacuum_threshold')::float)
  + greatest(c.reltuples, 0)
  * coalesce((SELECT option_value::float FROM pg_options_to_table(c.reloptions)
              WHERE option_name = 'autovacuum_vacuum_scale_factor'),
             current_setting('autovacuum_vacuum_scale_factor')::float)
"""
_SIZES = """
SELECT coalesce(sum(pg_table_size(relid)), 0)::bigint, coalesce(sum(pg_indexes_size(relid)), 0)::bigint
FROM (SELECT relid FROM pg_partition_tree(%(table)s) WHERE isleaf UNION SELECT %(table)s::regclass) t
JOIN pg_class c ON c.oid = t.relid WHERE c.relkind = 'r'
"""


class Bloat(NamedTuple):
    """Bytes of one table before and after it was written anew."""

    table: str
    heap: int
    heap_new: int
    indexes: int
    indexes_new: int

    @property
    def heap_share(self) -> float:
        return 1 - self.heap_new / self.heap if self.heap else 0.0

    @property
    def index_share(self) -> float:
        return 1 - self.indexes_new / self.indexes if self.indexes else 0.0


@dataclass
class Week:
    """`execute(sql, values)` runs a statement in its own transaction and returns the rows, if there are any."""

    execute: Any
    per_day: int
    tenant: uuid.UUID
    start_ms: int

    def run(self, days: int = 7) -> None:
        people = [str(uuid.uuid4()) for _ in range(PEOPLE)]
        steps_a_day = self.per_day // STEP
        for number in range(days * steps_a_day):
            low = self.start_ms + number * STEP
            old = _floor(low - KEPT_DAYS * steps_a_day * STEP)
            bounds = {"low": _floor(low), "high": _floor(low + STEP), "old": old}
            self.execute(_ACCEPT, {"tenant": self.tenant, "people": people, "ms": low, "count": STEP - 1})
            for statement in (*_STEPS, *_OLD):
                self.execute(statement, bounds)
            if number % LOOK == 0:
                self.vacuum()

    def vacuum(self) -> None:
        """Vacuum what autovacuum would vacuum now."""
        self.execute("SELECT pg_stat_force_next_flush()", {})
        for (name,) in self.execute(_DUE, {}):
            self.execute(f"VACUUM ANALYZE {name}", {})

    def measure(self) -> Iterator[Bloat]:
        for table in TABLES:
            heap, indexes = self.execute(_SIZES, {"table": table})[0]
            self.execute(f"VACUUM FULL {table}", {})
            heap_new, indexes_new = self.execute(_SIZES, {"table": table})[0]
            yield Bloat(table, heap, heap_new, indexes, indexes_new)


def _floor(ms: int) -> uuid.UUID:
    return uuid.UUID(int=ms << 80)


def main() -> None:
    """Start a PostgreSQL, migrate it, run the week and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--per-day", type=int, default=6_000)
    parser.add_argument("--json", action="store_true", help="print numbers of bytes")
    options = parser.parse_args()
    from notifier.local.testing import TestServers

    # servers of its own: an open transaction of anybody else would keep old rows from being vacuumed
    for name in ("DATABASE_URL", "WEB_DATABASE_URL", "REDIS_URL"):
        os.environ.pop(name, None)
    servers = TestServers()
    servers.start()
    try:
        os.environ["DJANGO_SETTINGS_MODULE"] = "notifier.settings"
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        show(measure_a_week(options.per_day), options.json)
    finally:
        servers.stop()


def show(measured: list[Bloat], as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps([bloat._asdict() for bloat in measured]))
        return
    for bloat in measured:
        sys.stdout.write(
            f"{bloat.table:26} heap {bloat.heap / 1e6:8.1f} MB, {bloat.heap_share:5.1%} empty;"
            f" indexes {bloat.indexes / 1e6:8.1f} MB, {bloat.index_share:5.1%} empty\n"
        )


def measure_a_week(per_day: int, days: int = 7) -> list[Bloat]:
    """Run the week on Django's database, outside of a transaction."""
    from datetime import UTC, datetime

    from django.db import connection

    from tenants.models import Tenant

    def execute(statement: str, values: Any) -> list[Any]:
        with connection.cursor() as cursor:
            cursor.execute(statement, values)
            return list(cursor.fetchall()) if cursor.description else []

    tenant = Tenant.objects.create(name="bloat", slug=f"bloat-{uuid.uuid4().hex[:8]}")
    week = Week(execute, per_day, tenant.pk, int(datetime.now(UTC).timestamp() * 1000))
    week.run(days)
    return list(week.measure())


if __name__ == "__main__":
    main()
