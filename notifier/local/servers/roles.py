"""Makes the two database roles and the database as the bootstrap superuser. Nothing else runs as superuser."""

from __future__ import annotations

import psycopg
from psycopg import sql

ENGINE, WEB = "notifier_engine", "notifier_web"


def make_roles(admin_url: str, engine_password: str, web_password: str) -> None:
    """Idempotent. The engine role owns the tables, so row-level security binds the web role only. The engine may become
    the web role (SET ROLE), which tests of the policies need."""
    with psycopg.connect(admin_url, autocommit=True) as connection:
        _make_role(connection, ENGINE, engine_password, sql.SQL("CREATEDB"))
        _make_role(connection, WEB, web_password, sql.SQL("NOCREATEDB"))
        connection.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(WEB), sql.Identifier(ENGINE)))


def allow_skipping_triggers(admin_url: str) -> None:
    """Let the engine role delete rows without triggers and foreign keys: tests empty the database in this way."""
    with psycopg.connect(admin_url, autocommit=True) as connection:
        grant = sql.SQL("GRANT SET ON PARAMETER session_replication_role TO {}")
        connection.execute(grant.format(sql.Identifier(ENGINE)))


def make_database(admin_url: str, name: str) -> None:
    """Make the database, owned by the engine role. Idempotent."""
    with psycopg.connect(admin_url, autocommit=True) as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            return
        make = sql.SQL("CREATE DATABASE {} OWNER {}")
        connection.execute(make.format(sql.Identifier(name), sql.Identifier(ENGINE)))


def _make_role(connection: psycopg.Connection, name: str, password: str, attributes: sql.SQL) -> None:
    exists = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name]).fetchone()
    statement = sql.SQL("{} ROLE {} LOGIN NOSUPERUSER NOBYPASSRLS {} PASSWORD {}")
    verb = sql.SQL("ALTER" if exists else "CREATE")
    connection.execute(statement.format(verb, sql.Identifier(name), attributes, sql.Literal(password)))
