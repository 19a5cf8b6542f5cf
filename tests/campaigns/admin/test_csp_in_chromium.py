"""Every kind of page in a real browser, which says when the page breaks the site's Content-Security-Policy."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.db.models import Model
from django.urls import reverse
from playwright.sync_api import Page, expect

from campaigns.models import Campaign
from inbox.http.demo_page import demo_link
from notifier.delivery.content.links.preferences_link import new_link, url_of
from tenants.models import Preference, Recipient
from tests.browser import log_in, reach_by_tab
from tests.campaigns.conftest import Site, page
from tests.inbox.web import Web

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]


def list_of(model: type[Model], what: str = "changelist") -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{what}")


def test_the_login_form_keeps_the_policy(tab: Page, web: Web, site: Site) -> None:
    ben = site.people.ben
    # the tests' own hasher is unknown to the web process
    ben.password = PBKDF2PasswordHasher().encode("a long password", "salt")
    ben.save()
    tab.goto(f"{web.origin}/admin/")
    tab.get_by_label("Username").fill(ben.username)
    tab.get_by_label("Password").fill("a long password")
    tab.get_by_role("button", name="Log in").click()
    expect(tab.get_by_role("heading", name="Home")).to_be_visible()


def test_the_calendar_of_a_form_works(tab: Page, web: Web, site: Site) -> None:
    log_in(tab, web, site.people.ben)
    tab.goto(web.origin + list_of(Campaign, "add"))
    tab.locator(".field-not_after .date-icon").locator("visible=true").first.click()
    tab.locator(".calendarbox td a").locator("visible=true").first.click()
    expect(tab.locator("#id_not_after_0")).not_to_have_value("")


def test_the_page_of_a_moving_campaign_asks_for_its_progress(tab: Page, web: Web, site: Site) -> None:
    log_in(tab, web, site.people.ben)
    with tab.expect_response(lambda got: got.url.endswith("/progress/")) as asked:
        tab.goto(web.origin + page("change", site.draft(name="Moving", state=Campaign.State.ARMING)))
    assert asked.value.status == 200


def test_the_page_of_the_api_works_and_tries_an_address(tab: Page, web: Web, site: Site) -> None:
    tab.goto(f"{web.origin}/v1/docs")
    operation = tab.locator(".opblock", has_text="/v1/templates").first
    operation.locator(".opblock-summary-control").first.click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute").click()
    expect(operation.locator(".live-responses-table .response .response-col_status")).to_contain_text("401")


def test_the_inbox_page_opens_its_socket(tab: Page, web: Web, site: Site) -> None:
    link = demo_link(Recipient.objects.get(tenant=site.acme, external_id="ada"))
    tab.goto(web.origin + link[link.index("/inbox/") :])
    expect(tab.locator("notifier-inbox")).to_have_attribute("data-state", "live")


def test_the_preferences_page_works_by_keyboard_on_a_small_screen(tab: Page, web: Web, site: Site) -> None:
    ada = Recipient.objects.get(tenant=site.acme, external_id="ada")
    tab.set_viewport_size({"width": 320, "height": 568})
    tab.goto(web.origin + "/" + url_of(new_link(site.acme.pk, ada.pk)).split("/", 3)[3])
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    group = tab.get_by_role("group", name="News")
    reach_by_tab(tab, group.get_by_role("checkbox", name="Push notifications"))
    tab.keyboard.press("Space")
    reach_by_tab(tab, group.get_by_label("Preferred channel"))
    tab.keyboard.press("ArrowDown")
    reach_by_tab(tab, tab.get_by_label("Pause until"))
    day = datetime.now(UTC).date() + timedelta(days=60)
    tab.keyboard.type(f"{day:%m%d%Y}")
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("status")).to_have_text("Your choices are saved.")
    expect(group.get_by_role("checkbox", name="Push notifications")).not_to_be_checked()
    row = Preference.objects.get(recipient=ada)
    assert (row.categories_off, row.preferred_channels) == (["news:push"], {"news": "in_app"})
    assert row.snoozed_until is not None and row.snoozed_until.date() == day
    reach_by_tab(tab, tab.get_by_role("button", name="Unsubscribe from all"))
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("button", name="Get messages again")).to_be_visible()
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_no_page_can_be_framed(tab: Page, web: Web, site: Site) -> None:
    tab.goto("data:text/html,<title>thief</title>")
    tab.evaluate(
        "url => { const f = document.createElement('iframe'); f.src = url; document.body.append(f) }",
        f"{web.origin}/v1/docs",
    )
    frame = tab.frames[1]
    frame.wait_for_load_state()
    assert frame.locator("#swagger-ui").count() == 0
