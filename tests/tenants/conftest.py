"""Connections to the database as the web role, for what it may not do."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django_celery_beat.models import IntervalSchedule, PeriodicTask
from psycopg import errors

from tenants import audit
from tenants.database.signed_settings import SECONDS, key_of, signed
from tenants.models import Recipient
from tests.fixtures import People

Connect = Callable[[], psycopg.Connection[Any]]
REFUSED = errors.InsufficientPrivilege


@pytest.fixture
def connect(db: None) -> Iterator[Connect]:
    """Connections of the web role to the tests' database."""
    url = urlunsplit(urlsplit(os.environ["WEB_DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}"))
    opened: list[psycopg.Connection[Any]] = []

    def another() -> psycopg.Connection[Any]:
        opened.append(psycopg.connect(url, autocommit=True))
        return opened[-1]

    yield another
    for one in opened:
        one.close()


@pytest.fixture
def web(people: People, connect: Connect) -> psycopg.Connection[Any]:
    """ACME and Globex have a recipient and an audit row each, Ana a session, and the clock a task."""
    for tenant in (people.acme, people.globex):
        Recipient.objects.create(tenant=tenant, external_id=f"of {tenant.slug}")
        audit.record(tenant.pk, "thing.changed")
    Client().force_login(people.ana)
    interval = IntervalSchedule.objects.create(every=1, period="days")
    PeriodicTask.objects.create(name="nightly", task="x", interval=interval)
    return connect()


def put(web: psycopg.Connection[Any], kind: str, value: str) -> None:
    """Set a setting as any SQL may: for the whole session."""
    web.execute("SELECT set_config(%s, %s, false)", [f"notifier.{kind}", value])


def site_signs(web: psycopg.Connection[Any], kind: str, value: str, **instead: Any) -> str:
    """What the site would sign for this connection, but for what is given."""
    key = instead.pop("key", key_of(settings.SECRET_KEY))
    values = {"backend": web.info.backend_pid, "expires": int(time.time()) + SECONDS, **instead}
    return signed(key, kind, value, **values)


def seen(web: psycopg.Connection[Any]) -> list[str]:
    return [row[0] for row in web.execute("SELECT external_id FROM tenants_recipient ORDER BY 1")]
