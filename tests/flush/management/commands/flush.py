"""Empties the tables that have rows, in one statement."""

from __future__ import annotations

from typing import Any

from django.core.management.commands import flush
from django.db import OperationalError, connection
from psycopg.errors import DeadlockDetected

from tests.flush.partitions import restore_partitions

#: what `migrate` writes, and a test does not change for another
KEPT = ("django_migrations", "django_content_type", "auth_permission", "tenants_signingkey")
#: a table of more bytes is vacuumed: rows that are only deleted would make every scan of a later test slower
SMALL = 256 * 1024

#: a role that may skip triggers and foreign keys; notifier.local.servers.roles grants it to the servers of tests
_MAY_SKIP_TRIGGERS = "SELECT has_parameter_privilege('session_replication_role', 'SET')"

# The lock waits for transactions of other processes that still write. A table without a page has no rows. A truncated
# table is as one that is new, also for the planner; but a table to which foreign keys point is truncated only together
# with all that point to it, so its rows are deleted.
_EMPTY = f"""
DO $$
DECLARE
  target text;
  truncated text[] := '{{}}';
  tables text[] := (
    SELECT array_agg(oid::regclass::text) FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> ALL ('{{{",".join(KEPT)}}}')
  );
BEGIN
  PERFORM set_config('session_replication_role', 'replica', true);
  EXECUTE 'LOCK TABLE ' || array_to_string(tables, ', ') || ' IN EXCLUSIVE MODE';
  FOREACH target IN ARRAY tables LOOP
    CONTINUE WHEN pg_relation_size(target) = 0;
    IF EXISTS (SELECT FROM pg_constraint WHERE confrelid = target::regclass) THEN
      EXECUTE 'DELETE FROM ' || target;
    ELSE
      truncated := truncated || target;
    END IF;
  END LOOP;
  IF truncated <> '{{}}' THEN EXECUTE 'TRUNCATE ' || array_to_string(truncated, ', '); END IF;
END $$
"""
_LARGE = """
SELECT oid::regclass::text FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND pg_relation_size(oid) > %s AND relname <> ALL (%s)
"""


#: a web process that still writes holds some tables while it waits for another; PostgreSQL ends one of the two
ATTEMPTS = 5


def _empty(cursor: Any) -> None:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            cursor.execute(_EMPTY)
            return
        except OperationalError as problem:
            if attempt == ATTEMPTS or not isinstance(problem.__cause__, DeadlockDetected):
                raise


class Command(flush.Command):
    def handle(self, **options: Any) -> None:
        """Empty the database. A server that forbids the short way, such as one of DATABASE_URL, is emptied as Django
        does it."""
        with connection.cursor() as cursor:
            cursor.execute(_MAY_SKIP_TRIGGERS)
            if cursor.fetchone() != (True,):
                return super().handle(**options)
            _empty(cursor)
            restore_partitions(cursor)
            cursor.execute(_LARGE, [SMALL, list(KEPT)])
            large = [table for (table,) in cursor.fetchall()]
            if large:
                cursor.execute(f"VACUUM {', '.join(large)}")
        return None
