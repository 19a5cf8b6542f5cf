"""The calendar of schedules in a real browser: by keyboard, on a narrow screen, under the site's policy."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser import log_in
from tests.campaigns.conftest import Site
from tests.campaigns.schedules.conftest import newsletter, reminder
from tests.inbox.web import Web

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]


def test_the_calendar_is_read_and_left_by_keyboard_at_any_width(
    tab: Page, web: Web, site: Site, tmp_path: Path
) -> None:
    now = datetime.now(UTC)
    newsletter(site, now=now, rrule="FREQ=WEEKLY;BYDAY=MO,TH;BYHOUR=9;BYMINUTE=0")
    reminder(site, now=now, name="Every quarter of an hour", cron="*/15 * * * *")
    log_in(tab, web, site.people.ben)
    tab.goto(f"{web.origin}/admin/campaigns/schedule/")
    tab.get_by_role("link", name="Calendar").click()
    tab.get_by_role("link", name="›").click()
    expect(tab.locator(".calendar th:visible")).to_have_count(7)
    news = tab.get_by_role("link", name="09:00 News")
    assert 8 <= news.count() <= 12
    tab.screenshot(path=tmp_path / "wide.png", full_page=True)
    # by keyboard: each slot is a link, and Enter leads to its schedule
    tab.get_by_role("link", name="New schedule").focus()
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.closest('.calendar') !== null")
    tab.set_viewport_size({"width": 320, "height": 640})
    tab.screenshot(path=tmp_path / "narrow.png")
    assert tab.evaluate("document.querySelector('.calendar').getBoundingClientRect().right") <= 320
    expect(tab.locator(".calendar th:visible")).to_have_count(0)
    news.first.focus()
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("heading", name="Next slots")).to_be_visible()
    tab.set_viewport_size({"width": 1280, "height": 900})
    tab.screenshot(path=tmp_path / "schedule.png", full_page=True)
    tab.get_by_role("button", name="Skip the next slot").click()
    expect(tab.get_by_text("The next slot is left out.")).to_be_visible()
