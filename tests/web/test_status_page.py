"""A tenant's public status page, and GET /v1/status: who sees what, in which language, and that it is cheap."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from playwright.sync_api import Browser

from notifier.delivery.accounts import health
from notifier.models import Incident, ProviderAccount, StatusHour
from notifier.web.status import shown
from notifier.web.status.texts import TEXTS
from tests.admin.axe import sideways, violations
from tests.browser import open_page
from tests.fixtures import Api, People
from tests.flows.wait import until
from tests.inbox.web import Web

pytestmark = pytest.mark.django_db
NOW = datetime.now(UTC)
AsWeb = Callable[[], AbstractContextManager[None]]


@pytest.fixture(autouse=True)
def _anew() -> Iterator[None]:
    shown.reset()
    health.reset()
    yield
    shown.reset()


@pytest.fixture
def account(people: People) -> ProviderAccount:
    people.acme.status_page = True
    people.acme.save()
    return ProviderAccount.objects.create(
        tenant=people.acme, name="secret name", provider="fcm", channel="push", platform="fcm", sandbox=True
    )


def page(as_web: AsWeb, slug: str = "acme", **headers: str) -> Any:
    with as_web():
        return Client().get(f"/status/{slug}", headers=headers)


def text_of(answer: Any) -> str:
    body = re.sub(r"(?s)<style.*?</style>", "", answer.content.decode())
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))


def test_a_page_is_off_until_the_tenant_switches_it_on(people: People, as_web: AsWeb) -> None:
    assert page(as_web).status_code == 404
    assert page(as_web, "nobody").status_code == 404
    people.acme.status_page = True
    people.acme.save()
    assert page(as_web).status_code == 200
    shown.reset()
    people.acme.active = False
    people.acme.save()
    assert page(as_web).status_code == 404


def test_it_shows_the_state_and_no_names_or_counts(account: ProviderAccount, as_web: AsWeb) -> None:
    answer = page(as_web)
    text = text_of(answer)
    assert "Status of ACME" in text
    assert "All channels work" in text
    assert "Push notifications" in text
    assert "secret name" not in answer.content.decode()
    assert "<script" not in answer.content.decode()
    assert answer["Cache-Control"] == "public, max-age=5"
    assert not answer.cookies
    assert "unsafe-inline" not in answer["Content-Security-Policy"]


def test_an_account_that_is_down_is_an_outage(account: ProviderAccount, as_web: AsWeb) -> None:
    health.move(account.pk, -10)
    try:
        assert "At least one channel does not work" in text_of(page(as_web))
    finally:
        health.move(account.pk, 10)


@pytest.mark.parametrize(
    ("header", "query", "sentence"),
    [("de-AT,de;q=0.9", "", "Alle Kanäle"), ("es", "", "Todos los canales"), ("fr", "", "All channels"),
     ("de", "?lang=es", "Todos los canales"), ("de", "?lang=xx", "Alle Kanäle")],
    ids=["de", "es", "other", "chosen", "unknown"],
)  # fmt: skip
def test_it_speaks_the_languages_of_the_preferences_page(
    account: ProviderAccount, as_web: AsWeb, header: str, query: str, sentence: str
) -> None:
    answer = page(as_web, f"acme{query}", **{"Accept-Language": header})
    assert sentence in text_of(answer)
    assert answer["Vary"] == "Accept-Language"


def test_the_languages_have_the_same_texts() -> None:
    places = re.compile(r"{\w+}")
    for texts in TEXTS.values():
        assert texts.keys() == TEXTS["en"].keys()
        for name, text in texts.items():
            assert sorted(places.findall(text)) == sorted(places.findall(TEXTS["en"][name])), name


def test_bars_tell_their_sum_to_a_screen_reader(account: ProviderAccount, people: People, as_web: AsWeb) -> None:
    hour = NOW.replace(minute=0, second=0, microsecond=0) - timedelta(days=3)
    StatusHour.objects.create(tenant=people.acme, channel="push", hour=hour, looks=60, outage=9)
    body = page(as_web).content.decode()
    assert "0 days with restrictions, 1 days with an outage, 89 days without data" in body


def test_incidents_are_the_tenants_own(account: ProviderAccount, people: People, as_web: AsWeb) -> None:
    def incident(tenant: Any, title: str, **columns: Any) -> None:
        Incident.objects.create(tenant=tenant, title=title, **{"began_at": NOW - timedelta(hours=1), **columns})

    incident(people.acme, "Late <b>mails</b>", text="We look for it.", channels=["email"])
    incident(people.globex, "Of Globex")
    incident(people.acme, "Long ago", began_at=NOW - timedelta(days=100))
    incident(people.acme, "Planned", began_at=NOW + timedelta(days=1))
    body = page(as_web).content.decode()
    assert "Late &lt;b&gt;mails&lt;/b&gt;" in body
    assert "Of Globex" not in body
    assert "Long ago" not in body
    assert "Planned" not in body


def test_a_page_is_read_once_in_five_seconds(account: ProviderAccount, as_web: AsWeb) -> None:
    with CaptureQueriesContext(connection) as first:
        page(as_web)
    assert 0 < len(first) <= 20
    with CaptureQueriesContext(connection) as second:
        page(as_web)
    assert [q["sql"] for q in second if "notifier_" in q["sql"] and "ROLE" not in q["sql"]] == []


@pytest.mark.django_db(transaction=True)
def test_others_get_the_page_that_is_kept_while_one_reads_it_anew(account: ProviderAccount) -> None:
    before = shown.load("acme", NOW)
    assert before is not None
    shown.expire()

    def load() -> shown.Shown | None:
        try:
            return shown.load("acme", NOW + timedelta(minutes=1))
        finally:
            connection.close()

    with (
        psycopg.connect(**connection.get_connection_params() | {"autocommit": False}) as other,
        ThreadPoolExecutor(2) as threads,
    ):
        try:
            other.execute("LOCK TABLE notifier_incident IN ACCESS EXCLUSIVE MODE")
            reader = threads.submit(load)
            until(lambda: other.execute("SELECT FROM pg_locks WHERE NOT granted").rowcount, "the reader to wait")
            assert threads.submit(load).result(60) is before
        finally:
            other.rollback()
        anew = reader.result(60)
    assert anew is not None and anew.at == NOW + timedelta(minutes=1)
    assert shown.load("acme", NOW) is anew


def test_the_api_tells_the_tenants_server(account: ProviderAccount, people: People, api: Callable[[str], Api]) -> None:
    ProviderAccount.objects.create(tenant=people.globex, name="other", provider="fcm", channel="push", sandbox=True)
    said = api(people.acme_key)("GET", "/v1/status").body
    own = {"name": "secret name", "provider": "fcm", "state": "operational", "health": 100, "oldest_due_s": 0.0}
    assert said == {
        "load": "normal",
        "channels": [{"channel": "push", "state": "operational", "oldest_due_s": 0.0, "accounts": [own]}],
    }


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_on_the_page(account: ProviderAccount, chrome: Browser, web: Web, theme: str) -> None:
    Incident.objects.create(tenant=account.tenant, title="Late mails", text="Soon.", began_at=NOW - timedelta(hours=1))
    options: dict[str, Any] = {"color_scheme": theme, "viewport": {"width": 900, "height": 900}}
    with open_page(chrome, **options) as opened:
        opened.goto(f"{web.origin}/status/acme?lang=es")
        assert opened.locator("html").get_attribute("lang") == "es"
        assert opened.locator("svg.cells").count() == 2
        assert violations(opened) == []
        assert sideways(opened, 320) == 0
