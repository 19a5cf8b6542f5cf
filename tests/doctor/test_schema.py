"""A database that is not as `migrate` leaves it."""

from __future__ import annotations

import os
import uuid
from datetime import UTC, datetime

import pytest
from django.db import connection
from pytest_django.fixtures import Settings

from notifier.local.servers.ports import free_port
from notifier.models import DeliveryEvent
from notifier.models.partitions import month_after
from tests.delivery.build import a_shop
from tests.doctor.conftest import Look


def execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.parametrize(
    "name",
    ["migrations", "roles", "rights of web", "row-level security", "signature", "partitions", "default partitions"],
)
def test_a_migrated_database_has_no_finding(name: str, look: Look) -> None:
    assert look(name) == []


def test_a_migration_that_has_not_run(look: Look) -> None:
    execute("DELETE FROM django_migrations WHERE app = 'inbox'")
    assert look("migrations") == ["error migrations: 1 migrations have not run: inbox.0001_initial."]


def test_a_web_role_that_does_not_exist(look: Look, settings: Settings) -> None:
    settings.WEB_DATABASE_ROLE_NAME = "nobody_known"
    assert look("roles") == ["error roles: There is no role nobody_known."]


def test_the_command_runs_as_the_web_role(look: Look, settings: Settings) -> None:
    execute(f"SET LOCAL ROLE {settings.WEB_DATABASE_ROLE_NAME}")
    (line,) = look("roles")
    assert line.startswith("error roles: This command runs as the web role")


def test_a_right_that_was_taken(look: Look, settings: Settings) -> None:
    execute(f"REVOKE DELETE ON notifier_delivery FROM {settings.WEB_DATABASE_ROLE_NAME}")
    assert look("rights of web") == [
        "error web-rights: The web role has other rights than it should on notifier_delivery."
    ]


def test_a_right_on_a_partition(look: Look, settings: Settings) -> None:
    execute(f"GRANT SELECT ON notifier_delivery_default TO {settings.WEB_DATABASE_ROLE_NAME}")
    (line,) = look("rights of web")
    assert "notifier_delivery_default" in line


def test_a_table_that_is_open(look: Look) -> None:
    execute("ALTER TABLE campaigns_shard DISABLE ROW LEVEL SECURITY")
    execute("DROP POLICY tenant ON tenants_device")
    assert look("row-level security") == [
        "error row-security: There is no row-level security on campaigns_shard, tenants_device."
    ]


def test_a_secret_key_that_the_database_does_not_know(look: Look, settings: Settings) -> None:
    settings.SECRET_KEY = "another one that migrate has never seen, of fifty characters"
    (line,) = look("signature")
    assert line.startswith("error signature: The database does not accept this site's signature")


def test_a_web_role_that_cannot_log_in(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEB_DATABASE_URL", f"postgres://notifier_web@127.0.0.1:{free_port()}/notifier")
    assert look("signature") == ["error web-login: The web role cannot log in (OperationalError)."]


def test_a_web_address_with_the_wrong_role(look: Look, monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    monkeypatch.setenv("WEB_DATABASE_URL", url_of_tests())
    (line,) = look("signature")
    assert line.startswith("error web-login: WEB_DATABASE_URL logs in as ")


def test_the_web_role_logs_in_to_the_database_that_its_address_names(
    look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEB_DATABASE_URL", f"{url_of_tests()}_that_does_not_exist")
    assert look("signature") == ["error web-login: The web role cannot log in (OperationalError)."]


def url_of_tests() -> str:
    """The address of the engine's role, with the database that these tests use."""
    url = os.environ["DATABASE_URL"]
    return f"{url.rpartition('/')[0]}/{connection.settings_dict['NAME']}"


@pytest.mark.parametrize(("months", "code"), [(1, "error partitions"), (3, "warning partitions-ahead")])
def test_a_month_without_a_partition(months: int, code: str, look: Look) -> None:
    month = month_after(datetime.now(UTC).date(), months)
    execute(f"DROP TABLE inbox_inboxmessage_{month:%Y_%m}")
    (line,) = look("partitions")
    assert line.startswith(f"{code}: inbox_inboxmessage has no partition for {month:%B %Y}")


def test_a_row_of_no_month(look: Look) -> None:
    shop = a_shop()
    DeliveryEvent.objects.create(
        id=uuid.UUID(int=7), tenant=shop.tenant, delivery_id=uuid.UUID(int=8), what="retry", at=datetime.now(UTC)
    )
    (line,) = look("default partitions")
    assert line.startswith("warning default-partition: notifier_deliveryevent_default holds rows")
