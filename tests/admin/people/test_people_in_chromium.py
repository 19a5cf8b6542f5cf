"""One walk in a browser: from the search box to a person, the timeline, preferences and a suppressed address."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from notifier.models import DeadLetter, Delivery, ProviderAccount
from notifier.vocabulary.status import Status
from tenants.models import Device, Preference, Recipient, Suppression
from tests.admin.axe import in_both_themes, sideways
from tests.admin.conftest import create_rows
from tests.browser import log_in
from tests.fixtures import People
from tests.inbox.web import Web

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]


@pytest.fixture
def web(django_db_setup: None, tmp_path: Path) -> Iterator[Web]:
    server = Web(UPLOADS_DIR=str(tmp_path))
    yield server
    server.stop()


def check_page(tab: Page, name: str) -> None:
    """The page is accessible in light and dark, and fits a small screen."""
    if folder := os.environ.get("SCREENSHOTS"):
        tab.screenshot(path=f"{folder}/{name}.png", full_page=True)
    assert in_both_themes(tab) == [], name
    assert sideways(tab) == 0, name


def test_from_the_search_box_to_a_person_and_back(web: Web, tab: Page, people: People) -> None:
    rows = create_rows(people.acme, "zebra")
    person = rows[Recipient]
    Recipient.objects.filter(pk=person.pk).update(timezone="Asia/Tokyo")
    now = timezone.now()
    rest = {"tenant": people.acme, "recipient_id": person.pk, "lane": 2, "due_at": now, "address": person.email}
    for n, (channel, status, reason) in enumerate(
        [("email", Status.DELIVERED, ""), ("email", Status.SUPPRESSED, "category_off"), ("sms", Status.QUEUED, "")]
    ):
        at = now - timedelta(hours=n)
        Delivery.objects.create(channel=channel, status=status, reason=reason, accepted_at=at, settled_at=at, **rest)
    log_in(tab, web, people.ana)
    tab.goto(f"{web.origin}/admin/find/?q=zebra")
    check_page(tab, "find")
    tab.goto(f"{web.origin}/admin/find/?q=nothing+like+it")
    check_page(tab, "find-nothing")
    tab.get_by_role("searchbox").fill(rows[Device].token)
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("heading", name="zebra person")).to_be_visible()
    check_page(tab, "timeline")
    tab.get_by_role("button", name="Suppress").click()
    expect(tab.get_by_role("button", name="Allow again")).to_be_visible()
    assert Suppression.objects.filter(address=person.email).exists()
    tab.get_by_role("link", name="Preferences", exact=True).click()
    tab.get_by_label("zebra-news on email", exact=True).uncheck()
    check_page(tab, "preferences")
    tab.get_by_role("button", name="Store").click()
    expect(tab.get_by_text("Opted out of: zebra-news:email.")).to_be_visible()
    assert Preference.objects.get(recipient=person).categories_off == ["zebra-news:email"]
    for page in ("deadletter", "provideraccount"):
        tab.goto(f"{web.origin}/admin/notifier/{page}/")
        check_page(tab, page)
    assert DeadLetter.objects.exists() and ProviderAccount.objects.exists()
