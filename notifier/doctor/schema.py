"""Whether the database is as `migrate` leaves it: migrations, rights, row-level security, signature, partitions."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
from django.apps import apps
from django.conf import settings
from django.db import connection, models
from django.db.migrations.executor import MigrationExecutor

from notifier.doctor.findings import Finding, error, warning
from notifier.doctor.registry import Options, Server, register
from notifier.models.partitions import MONTHS_AHEAD, PARTITIONED, month_after
from tenants.database import grants
from tenants.database.isolation import web_role
from tenants.database.signed_settings import TRANSACTION, key_of, signed

MIGRATE = "`manage.py migrate`"
PENDING = error("migrations", "Code and tables do not fit each other.", MIGRATE)
ROLES = error(
    "roles", "Row-level security does not separate tenants then.", "make the roles as `deploy/roles.sql` does"
)
RIGHTS = error("web-rights", "Requests fail, or may do more than they should.", MIGRATE)
ROW_SECURITY = error(
    "row-security", "A mistake in a query could show one tenant's rows to another.", f"{MIGRATE} on a restored schema"
)
SIGNATURE = error(
    "signature",
    "Every request of web that reads a tenant's rows fails.",
    f"{MIGRATE}, after a change of SECRET_KEY; see operations, What the web role may do",
)
WEB_LOGIN = error("web-login", "Web answers nothing.", "set WEB_DATABASE_URL to the web role, see operations, Settings")
NO_PARTITION = error("partitions", "Messages go into the default partition.", "start beat and the worker `control`")
FEW_PARTITIONS = warning("partitions-ahead", "Nobody makes them.", "start beat and the worker `control`")
DEFAULT_PARTITION = warning(
    "default-partition", "Its rows are in no month, and no month that holds them can be made.", "docs/doctor.md"
)


def pending_migrations(options: Options) -> Iterator[Finding]:
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if plan:
        names = ", ".join(f"{migration.app_label}.{migration.name}" for migration, _ in plan)
        yield PENDING.says(f"{len(plan)} migrations have not run: {names[:200]}.")


def roles(options: Options) -> Iterator[Finding]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT rolname, rolsuper, rolbypassrls, rolname = current_user FROM pg_roles"
            " WHERE rolname IN (current_user, %s)",
            [web_role()],
        )
        rows = cursor.fetchall()
    names = {name for name, *_ in rows}
    if web_role() not in names:
        yield ROLES.says(f"There is no role {web_role()}.")
    for name, is_super, passes, is_own in rows:
        if is_super or passes:
            yield ROLES.says(f"The role {name} {'is a superuser' if is_super else 'passes row-level security'}.")
        if is_own and name == web_role():
            yield ROLES.says(f"This command runs as the web role {name}; DATABASE_URL must name the engine's role.")


def rights(options: Options) -> Iterator[Finding]:
    current = grants.current_rights()
    wrong = sorted(t for t, has in current.items() if has != grants.WEB_MAY.get(t, grants.NONE))
    if wrong:
        yield RIGHTS.says(f"The web role has other rights than it should on {_some(wrong)}.")


def row_security(options: Options) -> Iterator[Finding]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname, c.relrowsecurity AND EXISTS (SELECT 1 FROM pg_policy p WHERE p.polrelid = c.oid)"
            " FROM pg_class c WHERE c.relname = ANY(%s) AND c.relnamespace = 'public'::regnamespace",
            [tenant_tables()],
        )
        open_tables = sorted(table for table, closed in cursor.fetchall() if not closed)
    if open_tables:
        yield ROW_SECURITY.says(f"There is no row-level security on {_some(open_tables)}.")


def tenant_tables() -> list[str]:
    """The tables whose rows belong to a tenant."""
    return sorted(model._meta.db_table for model in apps.get_models() if _is_owned(model))


def _is_owned(model: type[models.Model]) -> bool:
    names = {field.name for field in model._meta.get_fields() if isinstance(field, models.ForeignKey)}
    return "tenant" in names or model._meta.label == "tenants.Tenant"


def signature(options: Options) -> Iterator[Finding]:
    """By the web role's own connection, if this process knows its address; else by this one."""
    url = os.environ.get("WEB_DATABASE_URL", "")
    if not url:
        yield from _signature(connection.connection)
        return
    try:
        with psycopg.connect(url, connect_timeout=5, autocommit=True, prepare_threshold=None) as web:
            row = web.execute("SELECT current_user").fetchone()
            if row != (web_role(),):
                yield WEB_LOGIN.says(f"WEB_DATABASE_URL logs in as {row and row[0]}, not as {web_role()}.")
            yield from _signature(web)
    except psycopg.OperationalError as problem:
        yield WEB_LOGIN.says(f"The web role cannot log in ({type(problem).__name__}).")


def _signature(own: psycopg.Connection[Any]) -> Iterator[Finding]:
    """Signed for the transaction: behind a pooler, the backend that libpq names is the pooler's."""
    try:
        with own.transaction(), own.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = '5s'")
            cursor.execute(f"SELECT {TRANSACTION}")
            [(backend,)] = cursor.fetchall()
            value = signed(key_of(settings.SECRET_KEY), "session", "doctor", backend=str(backend), expires=0)
            cursor.execute("SELECT set_config('notifier.session', %s, true)", [value])
            cursor.execute("SELECT signed_setting('session')")
    except psycopg.errors.InsufficientPrivilege as problem:
        yield SIGNATURE.says(f"The database does not accept this site's signature: {problem.diag.message_primary}.")


def partitions(options: Options) -> Iterator[Finding]:
    today = datetime.now(UTC).date()
    months = [month_after(today, n) for n in range(MONTHS_AHEAD + 1)]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
            " JOIN pg_class p ON p.oid = i.inhparent WHERE p.relname = ANY(%s)",
            [list(PARTITIONED)],
        )
        there = {name for (name,) in cursor.fetchall()}
    for table in PARTITIONED:
        missing = [month for month in months if f"{table}_{month:%Y_%m}" not in there]
        if missing and missing[0] in months[:2]:
            yield NO_PARTITION.says(f"{table} has no partition for {missing[0]:%B %Y}.")
        elif missing:
            yield FEW_PARTITIONS.says(f"{table} has no partition for {missing[0]:%B %Y}, as it should by now.")


def default_partitions(options: Options) -> Iterator[Finding]:
    for table in PARTITIONED:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT id FROM {table}_default LIMIT 1")
            if row := cursor.fetchone():
                yield DEFAULT_PARTITION.says(f"{table}_default holds rows, such as {row[0]}.")


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def register_checks() -> None:
    register("migrations", pending_migrations, Server.DATABASE)
    register("roles", roles, Server.DATABASE)
    register("rights of web", rights, Server.DATABASE)
    register("row-level security", row_security, Server.DATABASE)
    register("signature", signature, Server.DATABASE)
    register("partitions", partitions, Server.DATABASE)
    register("default partitions", default_partitions, Server.DATABASE)
