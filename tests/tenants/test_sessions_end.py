"""A session of the admin ends some time after its last use, and some time after its login."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from tenants.login import login_sessions
from tests.fixtures import People

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser(people: People, settings: Settings) -> Client:
    settings.SESSION_IDLE_MINUTES = 30
    login_sessions.reset()
    client = Client()
    client.force_login(people.ana)
    return client


def seconds_left() -> float:
    return (Session.objects.get().expire_date - timezone.now()).total_seconds()


def test_a_session_ends_so_long_after_its_last_use(browser: Client) -> None:
    assert 29 * 60 < seconds_left() <= 30 * 60
    Session.objects.update(expire_date=timezone.now() + timedelta(seconds=90))
    assert browser.get("/admin/").status_code == 200
    assert seconds_left() > 29 * 60
    Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))
    assert browser.get("/admin/").status_code == 302


def test_no_use_prolongs_a_session_beyond_its_hours(browser: Client, settings: Settings) -> None:
    settings.SESSION_COOKIE_AGE = 600
    assert browser.get("/admin/").status_code == 200
    assert seconds_left() <= 600
    settings.SESSION_COOKIE_AGE = -1
    login_sessions.reset()
    browser.get("/admin/")
    assert browser.get("/admin/").status_code == 302
