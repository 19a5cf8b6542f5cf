"""What the web role sees of logins, sessions and the clock, whatever SQL it is made to send."""

from __future__ import annotations

from typing import Any, LiteralString

import psycopg
import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from django.test import Client

from tenants.models import User
from tests.fixtures import People
from tests.tenants.conftest import REFUSED, put, site_signs

# ---- logins ---------------------------------------------------------------------------------------------------------

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT password FROM tenants_user",
        "SELECT * FROM tenants_user",
        "SELECT u FROM tenants_user u",
        "SELECT to_jsonb(u) FROM tenants_user u",
        "SELECT id FROM tenants_user WHERE password LIKE 'md5%'",
        "UPDATE tenants_user SET first_name = 'x' RETURNING password",
        "UPDATE tenants_user SET first_name = password",
        "COPY tenants_user TO STDOUT",
        "TABLE tenants_signingkey",
        "SELECT sign_setting('tenants', '*')",
        "SELECT * FROM auth_permission",
        "INSERT INTO tenants_user_groups (user_id, group_id) VALUES (1, 1)",
        "INSERT INTO tenants_user_user_permissions (user_id, permission_id) VALUES (1, 1)",
        "DELETE FROM tenants_user",
    ],
)
def test_hashes_and_keys_are_out_of_reach(statement: LiteralString, web: psycopg.Connection[Any]) -> None:
    # also for an operator, who sees every tenant
    put(web, "tenants", site_signs(web, "tenants", "*"))
    with pytest.raises(REFUSED):
        web.execute(statement)


def test_one_sees_oneself_and_the_members_of_the_visible_tenants(web: psycopg.Connection[Any], people: People) -> None:
    def names() -> dict[str, str]:
        return dict(web.execute("SELECT username, password_of(id) FROM tenants_user").fetchall())

    assert names() == {}
    put(web, "user", site_signs(web, "user", str(people.ana.pk)))
    assert names() == {"ana": people.ana.password}
    put(web, "tenants", site_signs(web, "tenants", str(people.acme.pk)))
    assert names() == {"ana": people.ana.password, "ben": ""}
    hashes = web.execute("SELECT password_of(%(cleo)s), password_for_web(%(cleo)s)", {"cleo": people.cleo.pk})
    assert hashes.fetchone() == ("", None)
    put(web, "tenants", site_signs(web, "tenants", "*"))
    assert set(names()) == {"ana", "ben", "cleo"}


def test_memberships_are_those_of_the_logged_in_user(web: psycopg.Connection[Any], people: People) -> None:
    assert web.execute("SELECT * FROM member_tenants()").fetchall() == []
    put(web, "user", site_signs(web, "user", str(people.cleo.pk)))
    assert web.execute("SELECT * FROM member_tenants()").fetchall() == [(people.globex.pk, "owner")]
    put(web, "user", str(people.ana.pk))
    with pytest.raises(REFUSED):
        web.execute("SELECT * FROM member_tenants()")


RANKS = ["is_superuser = true", "is_staff = false", "is_active = false", "username = 'root'", "id = 4711"]


@pytest.mark.parametrize("change", RANKS)
def test_a_user_cannot_change_their_own_rights(change: str, web: psycopg.Connection[Any], people: People) -> None:
    statement = f"UPDATE tenants_user SET {change}".encode()
    assert web.execute(statement).rowcount == 0
    put(web, "user", site_signs(web, "user", str(people.ana.pk)))
    put(web, "tenants", site_signs(web, "tenants", str(people.acme.pk)))
    with pytest.raises(REFUSED, match="Only an operator"):
        web.execute(statement)
    # of a colleague, who is seen, not even the password
    other = f"UPDATE tenants_user SET password = 'x' WHERE id = {people.ben.pk}"
    assert web.execute(other.encode()).rowcount == 0
    assert web.execute("UPDATE tenants_user SET password = 'own'").rowcount == 1
    assert set(User.objects.values_list("password", flat=True)) >= {"own", people.ben.password, people.cleo.password}


def test_a_member_cannot_add_an_operator(web: psycopg.Connection[Any], people: People) -> None:
    put(web, "user", site_signs(web, "user", str(people.ana.pk)))
    put(web, "tenants", site_signs(web, "tenants", str(people.acme.pk)))
    with pytest.raises(REFUSED):
        web.execute(
            "INSERT INTO tenants_user (username, password, is_superuser, is_staff, is_active, first_name, last_name,"
            " email, date_joined) VALUES ('eve', 'x', true, true, true, '', '', '', now())"
        )
    created = web.execute("SELECT id FROM add_login('eve', 'eve@example.com', 'x')").fetchone()
    assert created is not None
    eve = User.objects.get(pk=created[0])
    assert (eve.is_superuser, eve.memberships.count()) == (False, 0)


# ---- sessions, the clock, other packages' tables --------------------------------------------------------------------


@pytest.mark.parametrize("scope", ["", "acme"])
@pytest.mark.parametrize("table", ["django_session", "django_admin_log", "django_celery_beat_periodictask"])
def test_sessions_and_the_clock_show_a_member_no_row(
    table: str, scope: str, web: psycopg.Connection[Any], people: People
) -> None:
    if scope:
        put(web, "tenants", site_signs(web, "tenants", str(people.acme.pk)))
    assert web.execute(f"SELECT * FROM {table}".encode()).fetchall() == []
    if table != "django_admin_log":
        assert web.execute(f"DELETE FROM {table}".encode()).rowcount == 0


def test_a_session_is_visible_only_with_its_key(web: psycopg.Connection[Any], people: People) -> None:
    stored = Session.objects.get()
    with pytest.raises(REFUSED):
        put(web, "session", stored.session_key)
        web.execute("SELECT * FROM django_session")
    put(web, "session", site_signs(web, "session", stored.session_key))
    assert web.execute("SELECT session_key FROM django_session").fetchall() == [(stored.session_key,)]
    # what is stored opens nothing in a browser
    client = Client()
    client.cookies[settings.SESSION_COOKIE_NAME] = stored.session_key
    assert client.get("/admin/").status_code == 302


def test_a_member_cannot_edit_the_clock_and_an_operator_can(web: psycopg.Connection[Any], people: People) -> None:
    change = "UPDATE django_celery_beat_periodictask SET task = 'y'"
    add = "INSERT INTO django_celery_beat_intervalschedule (every, period) VALUES (2, 'days')"
    put(web, "tenants", site_signs(web, "tenants", str(people.acme.pk)))
    assert web.execute(change.encode()).rowcount == 0
    with pytest.raises(REFUSED):
        web.execute(add.encode())
    put(web, "tenants", site_signs(web, "tenants", "*"))
    assert web.execute(change.encode()).rowcount == 1
    assert web.execute(add.encode()).rowcount == 1
