"""A statement that takes too long is stopped, and the response says so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from django.db import OperationalError, connection
from psycopg.errors import QueryCanceled

from notifier.api.framework.errors import problem_of
from tenants.models import Recipient, User
from tests.admin.conftest import Browser, Site, url
from tests.fixtures import Api

pytestmark = pytest.mark.django_db
LogIn = Callable[[User], Browser]


@pytest.fixture
def slow_people(site: Site) -> Iterator[None]:
    """Reading a recipient takes longer than the statement may."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE FUNCTION slowly() RETURNS boolean LANGUAGE sql AS 'SELECT pg_sleep(60) IS NOT NULL'")
        cursor.execute("CREATE POLICY slow ON tenants_recipient AS RESTRICTIVE USING (slowly())")
        cursor.execute("SET statement_timeout = 200")
    yield
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")


def test_a_page_that_takes_too_long_says_so(slow_people: None, site: Site, log_in: LogIn) -> None:
    answer = log_in(site.people.ana).get(url(Recipient, "changelist"))
    assert answer.status_code == 503
    assert "This takes too long" in answer.content.decode() and "Nothing was changed" in answer.content.decode()


def test_a_request_that_takes_too_long_is_a_problem_document(
    slow_people: None, site: Site, api: Callable[[str | None], Api]
) -> None:
    answer = api(site.people.acme_key)("GET", "/v1/recipients/zebra-1")
    assert (answer.status, answer.body["code"]) == (503, "database_too_slow")
    assert answer.headers["Retry-After"] == "5"


def test_web_processes_stop_statements_and_workers_do_not(db: None) -> None:
    """The setting reaches PostgreSQL with each connection of a web process."""
    asked = (
        "import django, json; django.setup()\n"
        "from django.db import connection\n"
        "with connection.cursor() as cursor:\n"
        "    cursor.execute('SHOW statement_timeout')\n"
        "    print(json.dumps(cursor.fetchone()))\n"
    )
    found = {}
    for role in ("web", "engine"):
        env = {**os.environ, "NOTIFIER_DATABASE_ROLE": role, "DJANGO_SETTINGS_MODULE": "notifier.settings"}
        done = subprocess.run([sys.executable, "-c", asked], env=env, capture_output=True, text=True, check=True)
        found[role] = json.loads(done.stdout)[0]
    assert found == {"web": "10s", "engine": "0"}


def test_judge_knows_a_stopped_statement_from_a_lost_database() -> None:
    stopped = OperationalError("canceling statement due to statement timeout")
    stopped.__cause__ = QueryCanceled()
    assert [problem_of(error).code for error in (stopped, OperationalError("gone"))] == [
        "database_too_slow",
        "unavailable",
    ]
