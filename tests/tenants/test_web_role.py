"""An attacker who runs any SQL as the web role can see and do only what the site has signed. Real connections."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any, LiteralString

import psycopg
import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db import connection, transaction
from psycopg import errors

from tenants import access
from tenants.api_keys import key_digest
from tenants.database.grants import NONE, WEB_MAY, current_rights, grant_statements
from tenants.database.signed_settings import key_of
from tenants.models import Recipient, User
from tests.fixtures import People
from tests.tenants.conftest import REFUSED, Connect, put, seen, site_signs

# ---- the scope ------------------------------------------------------------------------------------------------------

pytestmark = pytest.mark.django_db(transaction=True)


def test_what_the_site_signed_opens_what_it_names(web: psycopg.Connection[Any], people: People) -> None:
    assert seen(web) == []
    for value, expected in (
        (str(people.acme.pk), ["of acme"]),
        (f"{people.acme.pk},{people.globex.pk}", ["of acme", "of globex"]),
        ("*", ["of acme", "of globex"]),
        ("", []),
    ):
        put(web, "tenants", site_signs(web, "tenants", value))
        assert seen(web) == expected


def test_a_key_gets_the_scope_of_its_tenant_from_the_database(web: psycopg.Connection[Any], people: People) -> None:
    with web.transaction():
        query = "SELECT set_config('notifier.tenants', signed_scope, true) FROM api_key_by_digest(%s)"
        assert web.execute(query, [key_digest(people.acme_key)]).fetchone() is not None
        assert seen(web) == ["of acme"]
    assert seen(web) == []
    for wrong in (b"", b"x" * 32, None):
        assert web.execute(query, [wrong]).fetchone() is None


FORGERIES: dict[str, Callable[[psycopg.Connection[Any], People], str]] = {
    "a star": lambda web, people: "*",
    "a tenant's id": lambda web, people: str(people.globex.pk),
    "a form without a signature": lambda web, people: f"{'0' * 64}9999999999:*",
    "another key": lambda web, people: site_signs(web, "tenants", "*", key=b"k" * 32),
    "no key": lambda web, people: site_signs(web, "tenants", "*", key=b""),
    "another connection's": lambda web, people: site_signs(web, "tenants", "*", backend=web.info.backend_pid + 1),
    "another kind": lambda web, people: site_signs(web, "user", "*"),
    "a star behind": lambda web, people: site_signs(web, "tenants", str(people.acme.pk)) + ",*",
    "another tenant behind": lambda web, people: site_signs(web, "tenants", "") + str(people.globex.pk),
    "a later expiry": lambda web, people: site_signs(web, "tenants", "*", expires=1).replace(
        "0000000001", "9999999999"
    ),
    "expired": lambda web, people: site_signs(web, "tenants", "*", expires=int(time.time()) - 5),
    "another transaction's": lambda web, people: site_signs(
        web, "tenants", "*", backend=f"{web.info.backend_pid}/1700000000000000", expires=0
    ),
    "a connection's, without an end": lambda web, people: site_signs(web, "tenants", "*", expires=0),
    "not text of a signature": lambda web, people: "Ω" * 70 + "'; SELECT 1 --",
    "short": lambda web, people: "x",
    "very long": lambda web, people: "a" * 1_000_000,
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_scope_that_the_site_did_not_sign_opens_nothing(
    forgery: str, web: psycopg.Connection[Any], people: People
) -> None:
    put(web, "tenants", FORGERIES[forgery](web, people))
    for table in ("tenants_recipient", "tenants_user", "django_celery_beat_periodictask"):
        with pytest.raises((REFUSED, errors.ActiveSqlTransaction)):
            web.execute(f"SELECT count(*) FROM {table}".encode())


def test_a_scope_cannot_be_carried_to_another_connection(
    web: psycopg.Connection[Any], people: People, connect: Connect
) -> None:
    query = "SELECT signed_scope FROM api_key_by_digest(%s)"
    row = web.execute(query, [key_digest(people.globex_key)]).fetchone()
    assert row is not None
    other = connect()
    put(other, "tenants", row[0])
    with pytest.raises(REFUSED, match="not signed by this site for this connection"):
        seen(other)


def test_a_signature_is_not_in_the_text_of_a_statement_that_other_connections_see(web: psycopg.Connection[Any]) -> None:
    with transaction.atomic():
        access.set_scope(access.EVERY_TENANT)
        backend = connection.connection.info.backend_pid
        with psycopg.connect(os.environ["DATABASE_URL"]) as watcher:
            row = watcher.execute("SELECT query FROM pg_stat_activity WHERE pid = %s", [backend]).fetchone()
    assert row == ("SELECT set_config($1, $2, true)",)


def test_an_earlier_secret_key_is_known_until_migrate_runs_without_it(
    web: psycopg.Connection[Any], people: People, settings: Any
) -> None:
    earlier = settings.SECRET_KEY
    old = key_of(earlier)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new" * 20, [earlier]
    call_command("migrate", verbosity=0)
    try:
        for key in (old, key_of(settings.SECRET_KEY)):
            put(web, "tenants", site_signs(web, "tenants", "*", key=key))
            assert len(seen(web)) == 2
        settings.SECRET_KEY_FALLBACKS = []
        call_command("migrate", verbosity=0)
        put(web, "tenants", site_signs(web, "tenants", "*", key=old))
        with pytest.raises(REFUSED):
            seen(web)
    finally:
        # the database outlives this test
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = earlier, []
        call_command("migrate", verbosity=0)


def test_a_parallel_plan_knows_the_scope(web: psycopg.Connection[Any], people: People) -> None:
    put(web, "tenants", site_signs(web, "tenants", str(people.acme.pk)))
    for cheap in ("parallel_setup_cost = 0", "parallel_tuple_cost = 0", "min_parallel_table_scan_size = 0"):
        web.execute(f"SET {cheap}".encode())
    web.execute("SET debug_parallel_query = on")
    assert seen(web) == ["of acme"]


# ---- around the policies --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TEMPORARY TABLE tenants_signingkey (place int, inner_pad bytea, outer_pad bytea)",
        "CREATE TEMPORARY VIEW tenants_user AS SELECT 1",
        "CREATE TABLE public.mine ()",
        "CREATE SCHEMA mine",
        "CREATE FUNCTION public.sha256(text) RETURNS bytea LANGUAGE sql AS 'SELECT NULL::bytea'",
        "CREATE OPERATOR public.= (LEFTARG = text, RIGHTARG = text, FUNCTION = texteq)",
        "SET ROLE notifier_engine",
        "SET SESSION AUTHORIZATION notifier_engine",
        "ALTER ROLE notifier_web BYPASSRLS",
        "GRANT notifier_engine TO notifier_web",
        "ALTER TABLE tenants_user DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE tenants_auditlog DISABLE TRIGGER append_only",
        "DROP POLICY visible ON tenants_user",
        "SET session_replication_role = replica",
        "TRUNCATE tenants_recipient",
        "TRUNCATE django_session",
        "DELETE FROM tenants_auditlog",
        "UPDATE tenants_auditlog SET action = 'x'",
        "UPDATE django_migrations SET name = 'x'",
        "DELETE FROM notifier_deliveryevent",
        "SELECT * FROM notifier_delivery_default",
        "SELECT setval('notifier_delivery_seq', 1)",
        "SELECT nextval('tenants_user_id_seq')",
        "SELECT last_value FROM tenants_auditlog_id_seq",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT pg_ls_dir('.')",
        "COPY tenants_recipient TO PROGRAM 'cat'",
        "COPY (SELECT 1) TO '/tmp/x'",
        "SELECT lo_import('/etc/passwd')",
        "SELECT * FROM pg_authid",
        "SELECT * FROM pg_statistic",
        "CREATE EXTENSION dblink",
        "ALTER SYSTEM SET row_security = off",
        "ALTER DATABASE current SET notifier.tenants = '*'",
        "SELECT tenants_auditlog_append_only()",
    ],
)
def test_there_is_no_way_around(statement: LiteralString, web: psycopg.Connection[Any]) -> None:
    put(web, "tenants", site_signs(web, "tenants", "*"))
    before = Recipient.objects.count(), User.objects.count(), Session.objects.count()
    with pytest.raises((REFUSED, errors.InvalidCatalogName, errors.FeatureNotSupported, errors.RaiseException)):
        web.execute(statement)
    assert (Recipient.objects.count(), User.objects.count(), Session.objects.count()) == before


def test_switching_row_security_off_is_an_error_and_no_way_in(web: psycopg.Connection[Any]) -> None:
    web.execute("SET row_security = off")
    for table in ("tenants_recipient", "tenants_user", "django_session"):
        with pytest.raises(REFUSED):
            web.execute(f"SELECT count(*) FROM {table}".encode())
    assert web.execute("SELECT DISTINCT password_of(id) FROM generate_series(1, 100000, 17) id").fetchall() == [("",)]


def test_a_search_path_leads_no_function_astray(web: psycopg.Connection[Any], people: People) -> None:
    web.execute("SET search_path = pg_temp, public, pg_catalog")
    put(web, "tenants", "*")
    with pytest.raises(REFUSED):
        seen(web)
    put(web, "tenants", site_signs(web, "tenants", str(people.acme.pk)))
    assert seen(web) == ["of acme"]


def test_statistics_tell_nothing_of_the_rows(web: psycopg.Connection[Any]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE tenants_recipient, tenants_user")
    query = "SELECT count(*) FROM pg_stats WHERE tablename IN ('tenants_recipient', 'tenants_user')"
    row = web.execute(query.encode()).fetchone()
    assert row == (0,)


ODD = ["NULL", "''", "'*'", "'tenants'", "'TENANTS'", "'x; SELECT 1'", "repeat('x', 100000)"]


@pytest.mark.parametrize("value", ODD)
def test_functions_take_odd_input(value: str, web: psycopg.Connection[Any]) -> None:
    for call in (f"signed_setting({value})", f"user_by_login({value})"):
        assert web.execute(f"SELECT {call}".encode()).fetchone() == (None,), call
    assert web.execute(f"SELECT * FROM api_key_by_digest(convert_to({value}, 'UTF8'))".encode()).fetchall() == []
    for number in ("NULL", "0", "-1", "9223372036854775807"):
        assert web.execute(f"SELECT password_of({number})".encode()).fetchone() == ("",)


def test_the_audit_log_takes_no_link_and_no_other_tenant(web: psycopg.Connection[Any], people: People) -> None:
    put(web, "tenants", site_signs(web, "tenants", str(people.acme.pk)))
    columns = "tenant_id, action, object_id, detail, at, chain"
    add = f"INSERT INTO tenants_auditlog ({columns}) VALUES (%s, 'x', '', '{{}}', now(), %s)".encode()
    web.execute(add, [people.acme.pk, None])
    for tenant, chain in ((people.acme, b"x" * 40), (people.globex, None)):
        with pytest.raises(REFUSED):
            web.execute(add, [tenant.pk, chain])


def test_the_workers_of_a_parallel_statement_check_no_signature(web: psycopg.Connection[Any], people: People) -> None:
    """A signature of a transaction names the leader's process."""
    # of a table that was analyzed with one row, no plan is parallel
    Recipient.objects.bulk_create(Recipient(tenant=people.globex, external_id=f"many {n}") for n in range(200))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE tenants_recipient")
    # a plan with workers even where it costs more; PostgreSQL 16 has a new name for this setting
    parallel = "debug_parallel_query" if web.info.server_version >= 160000 else "force_parallel_mode"
    free = ("parallel_setup_cost", "parallel_tuple_cost", "min_parallel_table_scan_size")
    indexes = ("enable_indexscan", "enable_indexonlyscan", "enable_bitmapscan")
    wanted = {parallel: "on", "cpu_tuple_cost": "1", **dict.fromkeys(free, "0"), **dict.fromkeys(indexes, "off")}
    for name, value in wanted.items():
        web.execute(f"SET {name} = {value}".encode())
    with web.transaction():
        row = web.execute("SELECT pg_backend_pid() || '/' || trunc(extract(epoch FROM now()) * 1000000)::bigint")
        backend = row.fetchone()
        assert backend is not None
        put(web, "tenants", site_signs(web, "tenants", str(people.acme.pk), backend=backend[0], expires=0))
        assert web.execute("SELECT signed_setting('tenants')").fetchone() == (str(people.acme.pk),)
        assert seen(web) == ["of acme"]
        # the workers still scan
        plan = "".join(line[0] for line in web.execute("EXPLAIN SELECT count(*) FROM tenants_recipient"))
        assert "Parallel Seq Scan on tenants_recipient" in plan


# ---- the list of rights ---------------------------------------------------------------------------------------------


def test_the_web_role_holds_what_the_list_says_and_a_table_without_an_entry_fails_here() -> None:
    rows = current_rights()
    with connection.cursor() as cursor:
        cursor.execute("SELECT inhrelid::regclass::text FROM pg_inherits")
        partitions = {row[0] for row in cursor.fetchall()}
    assert {table: rows[table] for table in rows if table not in partitions} == dict(WEB_MAY)
    assert {rows[name] for name in partitions & set(rows)} == {NONE}


def test_a_new_table_is_closed_to_web(connect: Connect) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE newcomer (id int)")
        try:
            with pytest.raises(REFUSED):
                connect().execute("SELECT * FROM newcomer")
            assert current_rights()["newcomer"] == NONE
        finally:
            cursor.execute("DROP TABLE newcomer")


@pytest.mark.parametrize(
    ("target", "current", "expected"),
    [
        ({"a": {"SELECT"}}, {"a": {"SELECT"}}, []),
        ({"a": {"SELECT"}}, {"a": set()}, ["REVOKE ALL ON a FROM web", "GRANT SELECT ON a TO web"]),
        ({}, {"a": {"SELECT"}}, ["REVOKE ALL ON a FROM web"]),
        ({"not there yet": {"SELECT"}}, {}, []),
        (
            {"a": {"UPDATE", "SELECT (id)"}},
            {"a": {"SELECT"}},
            ["REVOKE ALL ON a FROM web", "GRANT SELECT (id), UPDATE ON a TO web"],
        ),
    ],
)
def test_grant_statements_turn_the_current_rights_into_the_target(
    target: dict[str, set[str]], current: dict[str, set[str]], expected: list[str]
) -> None:
    frozen = [{table: frozenset(rights) for table, rights in side.items()} for side in (target, current)]
    assert list(grant_statements(frozen[0], frozen[1], "web")) == expected


def test_functions_of_the_owner_are_these_and_each_pins_its_search_path() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT proname, has_function_privilege(%s, p.oid, 'EXECUTE'), proconfig FROM pg_proc p "
            "WHERE pronamespace = 'public'::regnamespace AND prosecdef",
            [settings.WEB_DATABASE_ROLE_NAME],
        )
        rows = cursor.fetchall()
    assert {name: open_ for name, open_, _ in rows} == {
        "signed_setting": True,
        "sign_setting": False,
        "queue_backlog": False,
        "api_key_by_digest": True,
        "member_tenants": True,
        "password_for_web": True,
        "user_by_login": True,
        "add_login": True,
        "end_session": False,
        "end_sessions_of_user": False,
        "second_factor_required": True,
        "users_with_second_factor": True,
        "reset_second_factor": True,
        "recipients_like": True,
        "tenant_of_account": True,
        "tenant_of_status_page": True,
    }
    assert {tuple(config) for _, _, config in rows} == {("search_path=pg_catalog, public, pg_temp",)}


@pytest.mark.parametrize(
    "table",
    [
        "django_session",
        "tenants_user",
        "tenants_authenticator",
        "tenants_recoverycode",
        "tenants_loginsession",
        *(t for t in WEB_MAY if t.startswith("django_celery")),
    ],
)
def test_tables_of_people_and_of_operators_have_row_level_security(table: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT relrowsecurity FROM pg_class WHERE relname = %s", [table])
        assert cursor.fetchone() == (True,)
