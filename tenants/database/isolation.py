"""SQL for migrations: row-level security. The rights of the `web` role on whole tables are in tenants.database.grants.

The role `notifier_web` must exist before the first migration (`deploy/roles.sql`, or `make demo`, creates it): creating
roles needs a right that the owner role of a managed server often lacks.
"""

from __future__ import annotations

from django.conf import settings
from django.db import migrations

# The sub-selects make PostgreSQL check the signature once per statement and table instead of once per row: 12 to 18 µs
# on an idle machine, 33 µs with ten times more work than cores. Accepting a notification checks 12 times: 0.4 of its
# 8 ms of CPU there. The test for an operator's `*` comes second, so that a member's statements check once.
_VISIBLE = """
  {column} = ANY ((SELECT string_to_array(nullif(signed_setting('tenants'), '*'), ',')::uuid[])::uuid[])
  OR (SELECT signed_setting('tenants')) = '*'
"""
_OPERATOR = "(SELECT signed_setting('tenants')) = '*'"
_SESSION = "session_key = (SELECT signed_setting('session'))"


def web_role() -> str:
    return str(settings.WEB_DATABASE_ROLE_NAME)


def visible_sql(column: str) -> str:
    """The condition of every tenant policy, for SQL functions that run as the tables' owner and so bypass it."""
    return _VISIBLE.format(column=column)


def isolate(table: str, column: str = "tenant_id") -> migrations.RunSQL:
    """Row-level security: only rows of the tenants named in `notifier.tenants` are seen or written."""
    return _policy(table, "tenant", visible_sql(column))


def operators_only(table: str) -> migrations.RunSQL:
    """For tables that no tenant owns: only an operator, who sees every tenant, sees and writes rows."""
    return _policy(table, "operator", _OPERATOR)


def operators_write(table: str) -> migrations.RunSQL:
    """For a table that no tenant owns and that every process reads: only an operator writes rows."""
    forward, backward = _policy_sql(table, "operator", _OPERATOR)
    reader = f"CREATE POLICY reader ON {table} FOR SELECT USING (true);"
    return migrations.RunSQL(f"{forward}{reader}", f"DROP POLICY reader ON {table};{backward}")


def own_session_only(table: str) -> migrations.RunSQL:
    """For sessions: only the session of the current request."""
    return _policy(table, "session", _SESSION)


def _policy(table: str, name: str, visible: str) -> migrations.RunSQL:
    return migrations.RunSQL(*_policy_sql(table, name, visible))


def _policy_sql(table: str, name: str, visible: str) -> tuple[str, str]:
    """The statements that make the policy, and those that remove it."""
    return (
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;"
        f"CREATE POLICY {name} ON {table} USING ({visible}) WITH CHECK ({visible});",
        f"DROP POLICY {name} ON {table}; ALTER TABLE {table} DISABLE ROW LEVEL SECURITY;",
    )


def append_only(table: str, update_when: str = "false", *, ends: bool = False) -> migrations.RunSQL:
    """Refuse DELETE, and UPDATE unless `update_when` (an expression over OLD and NEW) holds. `ends`: rows are deleted
    with time, by a transaction that says so (`SET LOCAL notifier.retention = 'on'`)."""
    delete_when = "current_setting('notifier.retention', true) = 'on'" if ends else "false"
    return migrations.RunSQL(
        f"""
        CREATE FUNCTION {table}_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          IF TG_OP = 'UPDATE' THEN
            IF {update_when} THEN RETURN NEW; END IF;
          ELSIF {delete_when} THEN
            RETURN OLD;
          END IF;
          RAISE EXCEPTION '{table} is append-only';
        END $$;
        CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON {table}
          FOR EACH ROW EXECUTE FUNCTION {table}_append_only();
        """,
        f"DROP TRIGGER append_only ON {table}; DROP FUNCTION {table}_append_only();",
    )
