"""What import-linter cannot check: tables named in SQL, row-level security, closed partitions, bounded backends."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest
from django.apps import apps
from django.conf import settings
from django.db import connection, models

from notifier.celery import app
from notifier.channels import channels
from notifier.channels.queues import queues
from notifier.local.processes.programs import PROJECT
from notifier.models.partitions import PARTITIONED

#: modules that name tables of another package, and why. `bench` reads the database as an operator does
FOREIGN_TABLES = {
    "tenants/database/grants.py": "what the web role may do with each table",
    "notifier/models/partitions.py": "which tables are partitioned by month",
    "campaigns/operations/queue_backlog.py": "what waits for the workers of every queue",
}


@pytest.mark.parametrize("package", ["notifier", "campaigns", "inbox"])
def test_only_its_own_package_names_a_table_in_sql(package: str) -> None:
    tables = "|".join(model._meta.db_table for model in apps.get_app_config(package).get_models())
    named = re.compile(rf"\b({tables})\b")
    foreign = [
        f"{path.relative_to(PROJECT)}: {sorted(set(named.findall(path.read_text())))}"
        for other in sorted({"notifier", "tenants", "campaigns", "inbox"} - {package})
        for path in PROJECT.joinpath(other).rglob("*.py")
        if named.search(path.read_text()) and str(path.relative_to(PROJECT)) not in FOREIGN_TABLES
    ]
    assert foreign == []


def tenant_tables() -> list[str]:
    tables = []
    for model in apps.get_models():
        names = {f.name for f in model._meta.get_fields() if isinstance(f, models.ForeignKey)}
        if "tenant" in names or model._meta.label == "tenants.Tenant":
            tables.append(model._meta.db_table)
    return sorted(tables)


@pytest.mark.django_db
@pytest.mark.parametrize("table", tenant_tables())
def test_every_tenant_owned_table_has_row_level_security(table: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT relrowsecurity FROM pg_class WHERE relname = %s", [table])
        assert cursor.fetchone() == (True,)
        cursor.execute("SELECT count(*) FROM pg_policies WHERE tablename = %s AND permissive = 'PERMISSIVE'", [table])
        assert cursor.fetchone()[0] == 1


@pytest.mark.django_db
def test_no_role_is_a_superuser_or_passes_row_level_security() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT bool_or(rolsuper OR rolbypassrls) FROM pg_roles WHERE rolname IN (current_user, %s)",
            [settings.WEB_DATABASE_ROLE_NAME],
        )
        assert cursor.fetchone() == (False,)


@pytest.mark.django_db
@pytest.mark.parametrize("table", PARTITIONED)
def test_the_web_role_cannot_touch_a_partition_by_name(table: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname, has_table_privilege(%s, c.oid, 'SELECT, INSERT, UPDATE, DELETE') "
            "FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent "
            "WHERE p.relname = %s",
            [settings.WEB_DATABASE_ROLE_NAME, table],
        )
        partitions = cursor.fetchall()
    assert len(partitions) >= 5
    assert not [name for name, open_ in partitions if open_]


@pytest.mark.django_db
@pytest.mark.parametrize("table", ["tenants_consentchange", "tenants_auditlog", "notifier_deliveryevent"])
def test_append_only_tables_refuse_changes(table: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_trigger WHERE tgrelid = %s::regclass AND tgname = 'append_only'", [table]
        )
        assert cursor.fetchone()[0] == 1


def test_every_beat_entry_names_a_task_that_exists() -> None:
    app.loader.import_default_modules()
    missing = [entry["task"] for entry in app.conf.beat_schedule.values() if entry["task"] not in app.tasks]
    assert missing == []


def test_every_channel_has_its_two_queues() -> None:
    of_channels = [f"{name}{pace}" for name in sorted(channels()) for pace in ("", ".bulk")]
    assert queues() == ["control", "batch", "receipts", "webhooks", *of_channels]
    assert {"in_app", "push"} <= set(channels())


def test_workers_show_flower_no_password() -> None:
    shown = str(app.conf.table(with_defaults=False, censored=True))
    password = urlsplit(settings.REDIS_URL).password
    assert password is not None
    assert password not in shown
    assert settings.SECRET_KEY not in shown
