"""The home page: first steps of an empty tenant, what was sent, what is planned, and nothing of another tenant."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from campaigns.models import Campaign, Shard
from notifier.models import DeadLetter, ProviderAccount, Template
from tenants.models import Tenant, User
from tests.admin.conftest import Browser, Rows, Site
from tests.fixtures import People

pytestmark = pytest.mark.django_db
LogIn = Callable[[User], Browser]


def home(browser: Browser) -> str:
    answer = browser.get(reverse("admin:index"))
    assert answer.status_code == 200
    return str(answer.content.decode())


def campaign_of(rows: Rows, **fields: Any) -> Campaign:
    return Campaign.objects.create(
        tenant=rows[Tenant], name=f"sale of {rows[Tenant].slug}", template=rows[Template], channels=["push"], **fields
    )


def launched(rows: Rows, sent: int) -> Campaign:
    now = datetime.now(UTC)
    campaign = campaign_of(rows, launched_at=now, state="running")
    fields = {"number": 1, "channel": "push", "size": sent, "sent": sent, "began_at": now}
    Shard.objects.create(tenant=rows[Tenant], campaign=campaign, account=rows[ProviderAccount], **fields)
    return campaign


def test_an_empty_tenant_is_led_to_the_first_message(people: People, log_in: LogIn) -> None:
    html = home(log_in(people.ana))
    assert "Your first message" in html and "Add yourself" in html
    assert reverse("admin:tenants_recipient_add") in html


def test_a_tenant_that_has_sent_sees_how_much_of_its_own(site: Site, log_in: LogIn) -> None:
    mine, theirs = launched(site.acme_rows, 1234), launched(site.globex_rows, 98765)
    html = home(log_in(site.people.ana))
    assert "Your first message" not in html
    assert 'push</th><td class="n-number">1,234</td>' in html and "Leaving now" in html and str(mine) in html
    assert "98,765" not in html and "99,999" not in html and str(theirs) not in html and "quokka" not in html


def test_what_is_planned_is_shown_with_its_time(site: Site, log_in: LogIn) -> None:
    at = datetime.now(UTC) + timedelta(hours=5)
    campaign_of(site.acme_rows, launch_at=at)
    assert f'datetime="{at:%Y-%m-%dT%H:%M}' in home(log_in(site.people.ana))


def test_messages_that_were_given_up_are_counted_until_they_are_sent_again(site: Site, log_in: LogIn) -> None:
    browser = log_in(site.people.ana)
    assert "messages whose attempts are used up" in home(browser)
    assert "sandbox zebra" in home(browser)
    DeadLetter.objects.update(redriven_at=datetime.now(UTC))
    assert "messages whose attempts are used up" not in home(browser)


def test_the_home_page_asks_a_fixed_number_of_questions(site: Site, log_in: LogIn) -> None:
    browser = log_in(site.people.ana)
    counts = []
    for number in (1, 3):
        for _ in range(number):
            launched(site.acme_rows, 10).rehearsals.count()
        with CaptureQueriesContext(connection) as queries:
            home(browser)
        counts.append(len(queries))
    # each campaign that is leaving shows its own progress, three at most
    assert counts[1] - counts[0] <= 3 * 4
    assert counts[0] <= 40
