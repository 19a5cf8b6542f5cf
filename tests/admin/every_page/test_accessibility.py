"""Every page of the admin in a real browser: accessible in light and dark, no wider than a phone, usable by keyboard,
without an error of a script or of the Content-Security-Policy (which `tab` checks)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from campaigns.models import Audience, Campaign
from notifier.delivery.content import templates
from notifier.models import ProviderAccount, Sender, Template
from tenants.admin import admin_site
from tenants.models import Category, Device, Member, Recipient, User
from tests.admin.axe import in_both_themes, sideways, wait_until_still
from tests.admin.conftest import Rows, create_rows, url
from tests.browser import log_in, reach_by_tab
from tests.campaigns.conftest import CONTENT, armed, sent
from tests.campaigns.conftest import Site as CampaignSite
from tests.fixtures import People
from tests.inbox.web import Web

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]

HEADINGS = """() => [...document.querySelectorAll("h1, h2, h3, h4, h5, h6")].filter(h => h.checkVisibility())
    .map(h => Number(h.tagName[1]))"""
#: the focus is seen as an outline of the control, or of what frames it
FOCUS_IS_SEEN = """() => [...Array(4)].reduce(([element, seen]) =>
    [element.parentElement ?? element, seen || getComputedStyle(element).outlineStyle !== "none"],
    [document.activeElement, false])[1]"""

HOME = "/admin/"


def addresses_of_models(rows: Rows) -> Iterator[str]:
    """Each list, each form, filled where there is a row, and the pages that all models share."""
    yield from (reverse("admin:index"), reverse("admin:password_change"))
    for model in admin_site._registry:
        yield url(model, "changelist")
        yield url(model, "change", rows[model].pk) if model in rows else url(model, "add")
    # a form with a choice of another row, one with rows inside, one with a calendar
    yield from (url(Device, "add"), url(Campaign, "add"), url(Audience, "add"))
    # a list whose search finds nothing, and a question before a row is deleted
    yield url(Device, "changelist") + "?q=nothing+has+this+name"
    yield url(Category, "delete", rows[Category].pk)
    yield url(Sender, "delete", rows[Sender].pk)


def addresses_of_special_pages(rows: Rows) -> Iterator[str]:
    """Pages of one's own and pages beside a form."""
    yield from (
        reverse("admin:account"),
        reverse("admin:find") + "?q=zebra",
        reverse("admin:find") + "?q=nothing-has-this",
    )
    yield reverse("admin:campaigns_schedule_calendar")
    yield reverse("admin:tenants_member_login", args=[rows[Member].pk])
    for name in ("tenants_recipient_timeline", "notifier_notification_why"):
        yield reverse(f"admin:{name}", args=[rows[Recipient].pk])
    yield reverse("admin:notifier_provideraccount_test", args=[rows[ProviderAccount].pk])
    for name in ("versions", "difference", "preview"):
        yield reverse(f"admin:notifier_template_{name}", args=[rows[Template].pk])


def addresses_of_campaigns(people: People, viewer: User) -> Iterator[str]:
    """The page of a campaign in its states."""
    category = Category.objects.create(tenant=people.acme, key="spring", name="Spring", kind="marketing")
    template = Template.objects.create(tenant=people.acme, key="spring", name="Spring", category=category)
    templates.publish(template, CONTENT)
    everybody = Audience.objects.create(tenant=people.acme, name="Everybody", source="everybody")
    site = CampaignSite(people, template, everybody, viewer)
    ready = armed(site.draft(name="Ready"))
    over, moving = sent(armed(site.draft(name="Over"))), site.draft(name="Moving", state=Campaign.State.ARMING)
    for campaign in (site.draft(), ready, over, moving):
        yield url(Campaign, "change", campaign.pk)
    yield from (url(Campaign, "go", ready.pk), url(Campaign, "left_out", over.pk))


def problems(tab: Page, address: str) -> list[str]:
    """What is wrong with the page, a line each. A page that this user may not open has nothing to check."""
    answer = tab.goto(address)
    assert answer is not None
    if answer.status == 403:
        return []
    if answer.status != 200:
        return [f"{address}: status {answer.status}: {tab.title()}"]
    # the menu is the same on each page: the home page is checked with it
    found = in_both_themes(tab, without="" if address.endswith(HOME) else "#nav")
    if beyond := sideways(tab):
        found.append(f"{beyond} px wider than a small screen")
    levels = tab.evaluate(HEADINGS)
    if levels.count(1) != 1 or any(after - before > 1 for before, after in itertools.pairwise(levels)):
        found.append(f"headings out of order: {levels}")
    return [f"{address}: {line}" for line in found]


def test_every_page_is_accessible_and_fits_a_phone(tab: Page, web: Web, people: People, vera: User) -> None:
    found = problems(tab, web.origin + reverse("admin:login"))
    log_in(tab, web, User.objects.create_superuser("olga", "", "a long password"))
    rows = create_rows(people.acme, "zebra")
    for address in addresses_of_models(rows):
        found += problems(tab, web.origin + address)
    log_in(tab, web, people.ana)
    for address in (*addresses_of_special_pages(rows), *addresses_of_campaigns(people, vera)):
        found += problems(tab, web.origin + address)
    assert found == []


def test_the_admin_works_by_keyboard(tab: Page, web: Web, people: People) -> None:
    create_rows(people.acme, "zebra")
    log_in(tab, web, people.ana)
    tab.goto(web.origin + url(ProviderAccount, "changelist"))
    assert tab.evaluate("document.documentElement.lang") == "en"
    tab.keyboard.press("Tab")
    expect(tab.get_by_role("link", name="Skip to the content")).to_be_focused()
    tab.keyboard.press("Enter")
    expect(tab.locator("#content")).to_be_focused()
    every_stop_is_seen(tab, 12)
    use_the_filters_and_a_row(tab)
    tab.goto(web.origin + url(Device, "add"))
    use_the_menu_of_a_choice(tab)
    choose_the_dark_theme(tab)
    open_the_menu_on_a_phone(tab)


def every_stop_is_seen(tab: Page, stops: int) -> None:
    for _ in range(stops):
        tab.keyboard.press("Tab")
        assert tab.evaluate(FOCUS_IS_SEEN), tab.evaluate("document.activeElement.outerHTML")


def use_the_filters_and_a_row(tab: Page) -> None:
    filters = tab.get_by_role("button", name="Filters", exact=True)
    filters.focus()
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("dialog", name="Filters").locator(":focus")).to_be_visible()
    wait_until_still(tab)
    tab.keyboard.press("Escape")
    expect(filters).to_be_focused()
    reach_by_tab(tab, tab.locator("input.action-select").first)
    tab.keyboard.press("Space")
    expect(tab.get_by_role("button", name="Run")).to_be_visible()


def use_the_menu_of_a_choice(tab: Page) -> None:
    more = tab.get_by_role("button", name="More: view, change or add").first
    reach_by_tab(tab, more)
    tab.keyboard.press("Enter")
    expect(tab.locator("nav[id^=related-widget-wrapper]:visible a:focus")).to_be_visible()
    tab.keyboard.press("Escape")
    expect(more).to_be_focused()


def choose_the_dark_theme(tab: Page) -> None:
    menu = tab.locator(".n-user > summary")
    menu.focus()
    tab.keyboard.press("Enter")
    reach_by_tab(tab, tab.get_by_label("System"))
    tab.keyboard.press("ArrowUp")
    expect(tab.locator("html.dark")).to_have_count(1)
    tab.keyboard.press("Escape")
    expect(menu).to_be_focused()


def open_the_menu_on_a_phone(tab: Page) -> None:
    tab.set_viewport_size({"width": 375, "height": 800})
    button = tab.get_by_role("button", name="Menu", exact=True)
    button.focus()
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("navigation", name="Main menu").locator(":focus")).to_be_visible()
    tab.keyboard.press("Escape")
    expect(button).to_be_focused()
