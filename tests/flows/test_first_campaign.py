"""The first campaign of a new user, written by hand in Chromium on a whole stack, and a second person's approval.

Nothing is prepared but the tenant: no recipient, template, audience or campaign. The email arrives at the sandbox.
"""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import open_page
from tests.flows.sandbox import Sandbox
from tests.flows.site import Site
from tests.flows.tenant import Tenant
from tests.flows.test_controls import armed
from tests.flows.wait import until

pytestmark = pytest.mark.browser
#: what a new user may need until the message is in the own mailbox
CLICKS, SECONDS = 25, 180
#: presses of the mouse survive the pages
COUNT_CLICKS = """
document.addEventListener('pointerdown', () => localStorage.clicks = 1 + +(localStorage.clicks || 0), true)
"""


def log_in(page: Page, site: Site, username: str, password: str) -> None:
    page.goto(f"{site.url}/admin/")
    page.get_by_label("Username").fill(username)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Home", exact=True)).to_be_visible()


def write(page: Page, label: str, text: str) -> None:
    """The text of one of the composer's editors."""
    page.get_by_role("textbox", name=label, exact=True).click()
    page.keyboard.insert_text(text)


def menu(page: Page, name: str) -> None:
    page.get_by_label("Main menu").get_by_role("link", name=name, exact=True).click()


def add_oneself(page: Page, address: str) -> None:
    page.get_by_role("link", name="Add yourself").click()
    page.get_by_label("External id").fill("me")
    page.get_by_label("Email").first.fill(address)
    page.get_by_role("button", name="Save", exact=True).click()


def write_an_email(page: Page) -> None:
    menu(page, "Home")
    page.get_by_role("link", name="Write a message").click()
    page.locator("#id_key").fill("hello")
    page.locator("#id_name").fill("Hello")
    page.locator("#id_category").select_option(label="order-updates")
    page.get_by_role("button", name="Email", exact=True).click()
    write(page, "Subject", "Hello {{ recipient.external_id }}")
    write(page, "HTML or MJML", "<p>The first one.</p>")
    page.get_by_role("button", name=re.compile("^(Save|Publish)$")).first.click()


def choose_everybody(page: Page) -> None:
    menu(page, "Audiences")
    page.get_by_role("link", name=re.compile("audience", re.IGNORECASE)).last.click()
    page.get_by_label("Name").fill("All of us")
    page.get_by_label(re.compile("^Everybody")).check()
    page.get_by_role("button", name="Save", exact=True).click()


def write_the_campaign(page: Page) -> None:
    menu(page, "Home")
    page.get_by_role("link", name="Send it").click()
    page.locator("#id_name").fill("The first one")
    page.locator("#id_template").select_option(index=1)
    page.locator("#id_audience").select_option(index=1)
    page.get_by_role("button", name="Save", exact=True).click()


def arm(page: Page) -> None:
    page.get_by_role("button", name="Arm", exact=True).click()
    expect(page.locator("#step-go").get_by_role("link")).to_be_visible()


def test_a_new_user_sends_the_first_message_to_oneself(
    site: Site, tenant: Tenant, sandbox: Sandbox, chrome: Browser
) -> None:
    address = f"{tenant.tag}me@mail.example"
    begin = time.monotonic()
    with open_page(chrome, viewport={"width": 1280, "height": 900}) as page:
        page.add_init_script(COUNT_CLICKS)
        log_in(page, site, tenant.credentials.username, tenant.credentials.password)
        add_oneself(page, address)
        write_an_email(page)
        choose_everybody(page)
        write_the_campaign(page)
        arm(page)
        page.locator("#step-go").get_by_role("link").first.click()
        page.locator(".go-button").click()
        page.wait_for_url("**/change/")
        # read while the launch can be taken back: at the campaign's end the page loads itself anew
        clicks = int(page.evaluate("localStorage.getItem('clicks')"))
        until(lambda: sandbox.addresses(address)[address] == 1, "the email to arrive")
        assert sandbox.mail(address)["subject"] == "Hello me"
    assert clicks <= CLICKS, clicks
    # what a person may need in all; the steps of this test take a few seconds of it
    assert time.monotonic() - begin < SECONDS


APPROVER = """
from tenants.models import Member, Tenant, User
tenant = Tenant.objects.get(slug="{slug}")
Tenant.objects.filter(pk=tenant.pk).update(approval="always")
user = User.objects.create_user("{slug}-ada", "ada@example.com", "a long password", is_staff=True)
Member.objects.create(tenant=tenant, user=user, role="approver")
"""


def test_two_people_launch_watch_pause_and_stop(site: Site, tenant: Tenant, sandbox: Sandbox, chrome: Browser) -> None:
    """Author and approver, each with an own browser; workers send while both watch; the receiver counts."""
    assert site.manage("shell", "-c", APPROVER.format(slug=tenant.credentials.slug)).returncode == 0
    campaign = armed(tenant, 1200, rate_per_s=60)
    address = f"{site.url}/admin/campaigns/campaign/{campaign.id}/change/"
    size = {"width": 1280, "height": 900}
    with open_page(chrome, viewport=size) as author, open_page(chrome, viewport=size) as approver:
        log_in(author, site, tenant.credentials.username, tenant.credentials.password)
        log_in(approver, site, f"{tenant.credentials.slug}-ada", "a long password")
        author.goto(address)
        # nothing that one must not do is hidden
        expect(author.locator("#step-go").get_by_role("button", name="GO")).to_be_disabled()
        author.get_by_role("button", name="Ask for approval").click()
        expect(author.locator("#step-approval")).to_contain_text("no approver has decided yet")
        approver.goto(address)
        approver.get_by_role("button", name="Approve", exact=True).click()
        expect(approver.locator("#step-approval")).to_contain_text("Approved")
        author.goto(address)
        author.locator("#step-go").get_by_role("link", name="GO").first.click()
        # the page is here: a look for the field, or a way to another page, must not come before it or its answer
        expect(author.locator(".go-button")).to_be_visible()
        if author.locator("#typed").count():
            author.locator("#typed").fill("1200")
        author.locator(".go-button").click()
        author.wait_for_url("**/change/")
        for watcher in (author, approver):
            watcher.goto(address)
            expect(watcher.locator("[data-live]")).to_be_visible()
        until(lambda: sandbox.count() > 20, "messages to leave")
        author.locator("[data-live]").get_by_role("button", name="Pause").click()
        expect(author.get_by_role("button", name="Resume")).to_be_visible()
        paused = _settled_count(sandbox)
        assert paused < 1200
        # the other person sees it without reloading
        expect(approver.get_by_role("button", name="Resume")).to_be_visible()
        author.get_by_role("link", name=re.compile("^Stop")).click()
        author.get_by_role("button", name="Stop it now").click()
        expect(author.get_by_text(re.compile("Stopped")).first).to_be_visible()
        assert _settled_count(sandbox) == paused
        author.goto(address)
        expect(author.get_by_role("main")).to_contain_text(str(paused))
    assert campaign.wait_until_settled()["sent"] == paused


def _settled_count(sandbox: Sandbox) -> int:
    """The receiver's count when nothing is in flight any more."""
    counts = [sandbox.count()]

    def is_still() -> bool:
        counts.append(sandbox.count())
        return len(counts) > 10 and len(set(counts[-10:])) == 1

    until(is_still, "the last message in flight to arrive")
    return counts[-1]
