"""One walk in a browser: invite, join by the link, set up a second factor, log out, log in with a code and with a
recovery code, and look at the sessions, the members and the API keys."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator

import pytest
from django_otp.oath import totp
from playwright.sync_api import Page, expect

from tenants.models import Member, Tenant, User
from tests.admin.axe import in_both_themes, sideways
from tests.admin.entry.second_factors import forget_last_code
from tests.browser import log_in
from tests.fixtures import People
from tests.inbox.web import Web

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]
PASSWORD = "seven purple kettles sing"


@pytest.fixture
def web(django_db_setup: None) -> Iterator[Web]:
    server = Web()
    yield server
    server.stop()


def check(tab: Page, name: str) -> None:
    """The page is accessible in light and dark, and fits a small screen."""
    if folder := os.environ.get("SCREENSHOTS"):
        tab.screenshot(path=f"{folder}/{name}.png", full_page=True)
    assert in_both_themes(tab) == [], name
    assert sideways(tab) == 0, name


def invite(tab: Page, web: Web) -> str:
    """The owner invites a person; returns the link, which the page shows where there is no mail server."""
    tab.goto(f"{web.origin}/admin/tenants/member/")
    check(tab, "members")
    tab.get_by_role("link", name="Invite a person").first.click()
    check(tab, "invite")
    tab.locator("#id_email").fill("dan@example.com")
    tab.locator("#id_role").select_option("author")
    tab.get_by_role("button", name="Save", exact=True).click()
    link = tab.locator("code", has_text="/admin/join/")
    expect(link).to_be_visible()
    check(tab, "link")
    return f"{web.origin}/admin/join/" + str(link.text_content()).rpartition("/admin/join/")[2]


def join(tab: Page, link: str) -> None:
    tab.goto(link)
    check(tab, "join")
    tab.get_by_label("Your name").fill("Dan Diaz")
    tab.get_by_label("Password", exact=True).fill(PASSWORD)
    tab.get_by_label("The password again").fill("another one")
    tab.get_by_role("button", name="Join").click()
    expect(tab.get_by_text("The two passwords differ.")).to_be_visible()
    check(tab, "join-again")
    tab.get_by_label("Password", exact=True).fill(PASSWORD)
    tab.get_by_label("The password again").fill(PASSWORD)
    tab.get_by_role("button", name="Join").click()


def set_up(tab: Page) -> tuple[bytes, list[str]]:
    """The secret of the app, and the recovery codes."""
    expect(tab.get_by_role("img", name="QR code for the authenticator app")).to_be_visible()
    check(tab, "setup")
    tab.get_by_text("The app cannot scan?").click()
    secret = base64.b32decode(tab.locator(".n-access__key").inner_text().replace(" ", ""))
    tab.get_by_label("Code", exact=True).fill(f"{totp(secret):06d}")
    tab.get_by_role("button", name="Turn on").click()
    codes = tab.get_by_role("list", name="Recovery codes").get_by_role("listitem").all_inner_texts()
    check(tab, "recovery-codes")
    assert len(codes) == 10
    tab.get_by_role("link", name="I have kept them").click()
    return secret, codes


def log_in_again(tab: Page, web: Web, code: str) -> None:
    tab.get_by_role("textbox", name="Username").fill("dan@acme")
    tab.locator("#id_password").fill(PASSWORD)
    tab.get_by_role("button", name="Log in").click()
    check(tab, "code")
    tab.get_by_label("Code", exact=True).fill("000000")
    tab.get_by_role("button", name="Log in").click()
    expect(tab.get_by_role("alert")).to_be_visible()
    check(tab, "code-wrong")
    forget_last_code(User.objects.get(username="dan@acme"))
    tab.get_by_label("Code", exact=True).fill(code)
    tab.get_by_role("button", name="Log in").click()
    expect(tab).to_have_url(f"{web.origin}/admin/")


def log_out(tab: Page, web: Web) -> None:
    tab.context.clear_cookies()
    tab.goto(f"{web.origin}/admin/login/")
    check(tab, "login")


def test_a_person_is_invited_joins_and_logs_in_with_two_factors(tab: Page, web: Web, people: People) -> None:
    log_in(tab, web, people.ana)
    link = invite(tab, web)
    tab.context.clear_cookies()
    Tenant.objects.filter(pk=people.acme.pk).update(require_two_factor=True)
    join(tab, link)
    secret, codes = set_up(tab)
    expect(tab).to_have_url(f"{web.origin}/admin/")
    assert Member.objects.get(user__username="dan@acme").role == "author"
    log_out(tab, web)
    forget_last_code(User.objects.get(username="dan@acme"))
    log_in_again(tab, web, f"{totp(secret):06d}")
    log_out(tab, web)
    log_in_again(tab, web, codes[0])
    tab.goto(f"{web.origin}/admin/account/")
    expect(tab.get_by_text("9 recovery codes are unused")).to_be_visible()
    expect(tab.get_by_role("region", name="Sessions").get_by_role("row")).to_have_count(4)
    check(tab, "account")
    tab.get_by_role("button", name="End all other sessions").click()
    expect(tab.get_by_role("region", name="Sessions").get_by_role("row")).to_have_count(2)


def test_an_owner_looks_at_a_members_sessions_and_makes_a_key(tab: Page, web: Web, people: People) -> None:
    log_in(tab, web, people.ana)
    member = Member.objects.get(user=people.ben)
    tab.goto(f"{web.origin}/admin/tenants/member/{member.pk}/login/")
    check(tab, "member-login")
    tab.goto(f"{web.origin}/admin/tenants/apikey/")
    check(tab, "api-keys")
    tab.goto(f"{web.origin}/admin/tenants/apikey/add/")
    check(tab, "api-key-add")
