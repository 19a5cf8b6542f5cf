"""SQL for migrations: row-level security on tenant-owned tables, and what the `web` role may do.

The role `notifier_web` must exist before the first migration (`deploy/postgres-init.sql`, or `make demo`, creates it):
creating roles needs a right that a managed server's owner role often lacks.
"""

from __future__ import annotations

from django.conf import settings
from django.db import migrations

# the sub-selects make PostgreSQL evaluate the setting once per statement instead of once per row
_VISIBLE = """
  (SELECT current_setting('notifier.tenants', true)) = '*'
  OR {column} = ANY ((SELECT string_to_array(
       nullif(nullif(current_setting('notifier.tenants', true), ''), '*'), ',')::uuid[])::uuid[])
"""


def web_role() -> str:
    return str(settings.WEB_DATABASE_ROLE_NAME)


def isolate(table: str, column: str = "tenant_id") -> migrations.RunSQL:
    """Row-level security: only rows of the tenants named in `notifier.tenants` are seen or written."""
    visible = _VISIBLE.format(column=column)
    return migrations.RunSQL(
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;"
        f"CREATE POLICY tenant ON {table} USING ({visible}) WITH CHECK ({visible});",
        f"DROP POLICY tenant ON {table}; ALTER TABLE {table} DISABLE ROW LEVEL SECURITY;",
    )


def append_only(table: str, update_when: str = "false") -> migrations.RunSQL:
    """Refuse DELETE, and UPDATE unless `update_when` (an expression over OLD and NEW) holds."""
    return migrations.RunSQL(
        f"""
        CREATE FUNCTION {table}_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          IF TG_OP = 'UPDATE' THEN
            IF {update_when} THEN RETURN NEW; END IF;
          END IF;
          RAISE EXCEPTION '{table} is append-only';
        END $$;
        CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON {table}
          FOR EACH ROW EXECUTE FUNCTION {table}_append_only();
        """,
        f"DROP TRIGGER append_only ON {table}; DROP FUNCTION {table}_append_only();",
    )


def grant_web() -> migrations.RunSQL:
    """What exists and what later migrations create is open to the web role; partitions are closed again when made."""
    rights = "SELECT, INSERT, UPDATE, DELETE"
    return migrations.RunSQL(
        f"""
        GRANT {rights} ON ALL TABLES IN SCHEMA public TO {web_role()};
        GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {web_role()};
        ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT {rights} ON TABLES TO {web_role()};
        ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO {web_role()};
        """,
        migrations.RunSQL.noop,
    )
