"""The demo page in a real browser: new messages without a reload, marking as read, and reconnecting."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import httpx
import pytest
from django.db import transaction
from django.test import Client
from playwright.sync_api import Browser, Page, expect

from inbox.http.demo_page import demo_link
from inbox.store.changes import act
from inbox.store.snoozes import wake_due
from notifier.channels.in_app import InAppMessage
from notifier.vocabulary.load import Switch
from tenants.load_shedding.switch import set_switch
from tenants.models import Category, Recipient
from tests.browser import open_page
from tests.fixtures import People
from tests.inbox.conftest import message, send
from tests.inbox.web import Web

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]


@pytest.fixture
def page(chrome: Browser) -> Iterator[Page]:
    with open_page(chrome, viewport={"width": 1180, "height": 780}) as page:
        yield page


def visit(page: Page, web: Web, recipient: Recipient) -> None:
    link = demo_link(recipient)
    page.goto(web.origin + link[link.index("/inbox/") :])
    expect(page.locator("notifier-inbox")).to_have_attribute("data-state", "live")


def few(recipient: Recipient) -> list[InAppMessage]:
    return [
        message(
            recipient,
            "Welcome to ACME",
            body="Good to have you. Here is everything you need to get going.",
            link="https://example.com/start",
        ),
        message(
            recipient,
            "Your order #1042 is on its way",
            body="The parcel left Leipzig this morning and should be with you tomorrow before noon.",
            link="https://example.com/orders/1042",
        ),
        message(recipient, "Ben commented on your review", body="“Had the same question. It fits a 13-inch laptop.”"),
    ]


def test_a_message_appears_without_a_reload_and_is_marked_as_read(page: Page, web: Web, dora: Recipient) -> None:
    visit(page, web, dora)
    expect(page.get_by_role("button", name="Notifications", exact=True)).to_be_visible()
    send(message(dora, "It is here", body="Just stored"))
    expect(page.get_by_role("button", name="Notifications, 1 unread")).to_be_visible()
    expect(page.get_by_role("listitem")).to_contain_text("It is here")
    expect(page).to_have_title(re.compile(r"^\(1\) Inbox of Dora"))
    page.get_by_role("button", name="Mark as read: It is here").click()
    expect(page.get_by_role("button", name="Notifications", exact=True)).to_be_visible()
    expect(page).to_have_title(re.compile("^Inbox of Dora"))
    page.reload()
    expect(page.get_by_role("listitem")).to_contain_text("It is here")
    expect(page.get_by_role("button", name="Notifications", exact=True)).to_be_visible()


def test_marking_all_as_read_is_shown_in_another_tab(page: Page, web: Web, dora: Recipient) -> None:
    send(*few(dora))
    visit(page, web, dora)
    other = page.context.new_page()
    visit(other, web, dora)
    expect(other.get_by_role("button", name="Notifications, 3 unread")).to_be_visible()
    page.get_by_role("button", name="Mark all as read").click()
    expect(page.get_by_role("heading", name="Notifications", exact=True)).to_be_focused()
    expect(other.get_by_role("button", name="Notifications", exact=True)).to_be_visible()
    expect(other.locator("li.unread")).to_have_count(0)


def test_the_widget_reconnects_after_a_restart_of_the_web_process(page: Page, web: Web, dora: Recipient) -> None:
    visit(page, web, dora)
    send(message(dora, "before"))
    expect(page.get_by_role("listitem")).to_have_count(1)
    web.stop()
    try:
        expect(page.locator("notifier-inbox")).to_have_attribute("data-state", "waiting")
        send(message(dora, "meanwhile 1"), message(dora, "meanwhile 2"))
    finally:
        web.start()
    expect(page.locator("li h3")).to_have_text(["Unread: meanwhile 2", "Unread: meanwhile 1", "Unread: before"])
    expect(page.get_by_role("button", name="Notifications, 3 unread")).to_be_visible()


#: how many sockets are opened when the person comes back to the tab
SOCKETS_OF_A_TAB_THAT_IS_SHOWN = """() => {
  const real = WebSocket;
  let opened = 0;
  window.WebSocket = class extends real { constructor(...given) { super(...given); opened++; } };
  document.dispatchEvent(new Event("visibilitychange"));
  window.WebSocket = real;
  return opened;
}"""


def test_an_offline_browser_shows_that_it_is_offline_and_gets_missed_messages_later(
    page: Page, web: Web, dora: Recipient
) -> None:
    visit(page, web, dora)
    page.context.set_offline(True)
    try:
        expect(page.locator("notifier-inbox")).to_have_attribute("data-state", "offline")
        expect(page.locator("notifier-inbox").get_by_role("status")).to_contain_text("You are offline")
        assert page.evaluate(SOCKETS_OF_A_TAB_THAT_IS_SHOWN) == 0
        send(message(dora, "meanwhile"))
    finally:
        page.context.set_offline(False)
    expect(page.locator("notifier-inbox")).to_have_attribute("data-state", "live")
    expect(page.get_by_role("listitem")).to_contain_text("meanwhile")
    expect(page.locator("notifier-inbox").get_by_role("status")).to_be_hidden()


def test_the_focus_moves_into_the_panel_and_back(page: Page, web: Web, dora: Recipient) -> None:
    send(message(dora, "It is here"))
    visit(page, web, dora)
    page.locator("notifier-inbox").evaluate("widget => widget.removeAttribute('open')")
    bell = page.get_by_role("button", name="Notifications, 1 unread")
    bell.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Notifications", exact=True)).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Mark all as read")).to_be_focused()
    page.keyboard.press("Escape")
    expect(bell).to_be_focused()


def test_content_is_shown_as_text_and_unsafe_links_are_not_offered(page: Page, web: Web, dora: Recipient) -> None:
    evil = "<img src=x onerror=alert(1)><script>alert(1)</script>"
    send(message(dora, evil, body=evil, link='https://example.com/"><script>'))
    visit(page, web, dora)
    expect(page.locator("li p")).to_have_text(evil)
    assert page.locator("li img, li script").count() == 0
    assert page.get_by_role("link").get_attribute("href") == "https://example.com/%22%3E%3Cscript%3E"


def test_links_may_lead_to_paths_of_the_page_and_to_named_apps(page: Page, web: Web, dora: Recipient) -> None:
    visit(page, web, dora)
    page.locator("notifier-inbox").evaluate("widget => widget.setAttribute('link-schemes', 'acme')")
    send(message(dora, "path", link="/orders/17"), message(dora, "app", link="acme://orders/17"))
    send(message(dora, "other", link="globex://orders/17"))
    expect(page.get_by_role("listitem")).to_have_count(3)
    links = page.get_by_role("link")
    expect(links).to_have_count(2)
    assert [link.get_attribute("href") for link in links.all()] == ["acme://orders/17", f"{web.origin}/orders/17"]


def test_older_messages_are_loaded_on_demand(page: Page, web: Web, dora: Recipient) -> None:
    send(*[message(dora, str(n)) for n in range(70)])
    visit(page, web, dora)
    expect(page.get_by_role("listitem")).to_have_count(30)
    for shown in (60, 70):
        page.get_by_role("button", name="Show older").click()
        expect(page.get_by_role("listitem")).to_have_count(shown)
        first_new = page.get_by_role("listitem").nth({60: 30, 70: 60}[shown])
        expect(first_new.get_by_role("heading")).to_be_focused()
    expect(page.get_by_role("button", name="Show older")).to_be_hidden()


def test_the_widget_works_with_the_keyboard_alone(page: Page, web: Web, dora: Recipient) -> None:
    send(*few(dora))
    visit(page, web, dora)
    page.keyboard.press("Tab")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Notifications")).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Notifications", exact=True)).to_be_visible()


def test_opening_the_list_takes_the_badge_away_in_every_tab_and_leaves_the_messages_unread(
    page: Page, web: Web, dora: Recipient
) -> None:
    visit(page, web, dora)
    page.keyboard.press("Tab")
    page.keyboard.press("Escape")
    other = page.context.new_page()
    visit(other, web, dora)
    other.locator("notifier-inbox").evaluate("widget => widget.removeAttribute('open')")
    send(*few(dora))
    expect(page.locator(".badge")).to_have_text("3")
    expect(other.locator(".badge")).to_have_text("3")
    page.bring_to_front()
    page.get_by_role("button", name="Notifications, 3 unread").click()
    expect(page.locator(".badge")).to_be_hidden()
    expect(other.locator(".badge")).to_be_hidden()
    expect(page.locator("li.unread")).to_have_count(3)


def test_messages_are_handled_with_keys_and_the_focus_stays_in_the_list(page: Page, web: Web, dora: Recipient) -> None:
    send(*[message(dora, title, link="/somewhere") for title in ("first", "second", "third", "fourth")])
    visit(page, web, dora)
    page.get_by_role("heading", name="fourth").focus()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("heading", name="third")).to_be_focused()
    page.keyboard.press("e")
    expect(page.locator(".spoken[aria-live]")).to_have_text("Archived: third")
    expect(page.get_by_role("heading", name="second")).to_be_focused()
    page.keyboard.press("Delete")
    expect(page.locator(".spoken[aria-live]")).to_have_text("Deleted: second")
    expect(page.get_by_role("heading", name="first")).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(page.get_by_role("heading", name="fourth")).to_be_focused()
    with page.context.expect_page() as opened:
        page.keyboard.press("Enter")
    opened.value.close()
    expect(page.get_by_role("button", name="Notifications, 1 unread")).to_be_visible()
    page.get_by_role("tab", name="All").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Unread")).to_be_focused()
    expect(page.locator("li h3")).to_have_text(["Unread: first"])
    page.keyboard.press("ArrowRight")
    expect(page.locator("li h3")).to_have_text(["Unread: third"])
    page.get_by_role("heading", name="third").focus()
    page.keyboard.press("e")
    expect(page.get_by_role("heading", name="Notifications", exact=True)).to_be_focused()
    expect(page.locator(".empty")).to_have_text("Nothing is archived.")
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Notifications, 2 unread")).to_be_focused()


def test_the_menu_of_a_message_snoozes_it_and_gives_the_focus_back(page: Page, web: Web, dora: Recipient) -> None:
    send(message(dora, "older"), message(dora, "newer"))
    visit(page, web, dora)
    dots = page.get_by_role("button", name="More for: newer")
    dots.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("menuitem", name="Mark as read")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("menu")).to_have_count(0)
    expect(page.get_by_role("dialog")).to_be_visible()
    expect(dots).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("menuitem", name="Snooze for an hour")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("li h3")).to_have_text(["Unread: older"])
    expect(page.get_by_role("heading", name="older")).to_be_focused()
    with transaction.atomic():
        wake_due(datetime.now(UTC) + timedelta(hours=2))
    expect(page.locator("li h3")).to_have_text(["Unread: newer", "Unread: older"])


def test_a_menu_at_the_end_of_the_list_is_shown_whole(page: Page, web: Web, dora: Recipient) -> None:
    send(*(message(dora, f"number {n}", body="text " * 60) for n in range(4)))
    visit(page, web, dora)
    page.get_by_role("button", name="More for: number 2").click()
    last, list_ = page.get_by_role("menuitem", name="Delete").bounding_box(), page.locator(".body").bounding_box()
    assert last is not None and list_ is not None
    assert last["y"] + last["height"] <= list_["y"] + list_["height"]


def test_a_page_whose_language_is_no_language_tag_shows_messages(page: Page, web: Web, dora: Recipient) -> None:
    visit(page, web, dora)
    page.evaluate("document.documentElement.lang = 'en_US'")
    send(message(dora, "hello"))
    expect(page.locator("li h3")).to_have_text(["Unread: hello"])


def test_search_and_category_choose_the_list(page: Page, web: Web, dora: Recipient) -> None:
    send(message(dora, "Café opens", category="news"), message(dora, "Order sent", category="order-updates"))
    for key in ("news", "order-updates"):
        Category.objects.create(tenant=dora.tenant, key=key, name=key)
    visit(page, web, dora)
    page.get_by_role("searchbox", name="Search notifications").fill("CAFE")
    expect(page.locator("li h3")).to_have_text(["Unread: Café opens"])
    send(message(dora, "A new one"))
    expect(page.get_by_role("button", name="Notifications, 3 unread")).to_be_visible()
    expect(page.get_by_role("listitem")).to_have_count(1)
    page.get_by_role("searchbox", name="Search notifications").fill("")
    expect(page.get_by_role("listitem")).to_have_count(3)
    page.get_by_role("combobox", name="Category").select_option("order-updates")
    expect(page.locator("li h3")).to_have_text(["Unread: Order sent"])
    page.get_by_role("button", name="Mark all as read").click()
    expect(page.get_by_role("button", name="Notifications, 2 unread")).to_be_visible()


def test_what_another_page_did_while_this_one_was_offline_is_shown_when_it_is_back(
    page: Page, web: Web, dora: Recipient
) -> None:
    first, second, third = (message(dora, title) for title in ("first", "second", "third"))
    send(first, second, third)
    visit(page, web, dora)
    expect(page.get_by_role("listitem")).to_have_count(3)
    page.context.set_offline(True)
    try:
        expect(page.locator("notifier-inbox")).to_have_attribute("data-state", "offline")
        for one, name in ((first, "delete"), (second, "read"), (third, "archive")):
            act(dora.pk, one.envelope.delivery_id, name, now=datetime.now(UTC))
    finally:
        page.context.set_offline(False)
    expect(page.locator("li h3")).to_have_count(1)
    expect(page.locator("li h3")).to_contain_text("second")
    expect(page.locator("li.unread")).to_have_count(0)


def test_the_widget_fits_a_phone_in_light_and_dark_mode(page: Page, web: Web, dora: Recipient, tmp_path: Path) -> None:
    folder = Path(os.environ.get("SCREENSHOTS", tmp_path))
    send(*few(dora))
    visit(page, web, dora)
    page.get_by_role("button", name="Mark as read: Welcome to ACME").click()
    expect(page.get_by_role("button", name="Notifications, 2 unread")).to_be_visible()
    page.mouse.move(0, 700)
    schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
    for scheme in schemes:
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        for name, width, height in (("desktop", 1180, 720), ("phone", 390, 780), ("narrow", 320, 700)):
            page.set_viewport_size({"width": width, "height": height})
            page.screenshot(path=folder / f"inbox-{name}-{scheme}.png")
            assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_only_members_and_signed_links_open_the_page(people: People, dora: Recipient, zoe: Recipient) -> None:
    link = demo_link(dora)
    path = link[link.index("/inbox/") :]
    assert Client().get("/inbox/").status_code == Client().get("/inbox/token").status_code == 302
    assert Client().get(path[:-3] + "AAA").status_code == 404
    shown = Client().get(path)
    assert shown.status_code == 200
    assert "script-src 'self'" in shown["Content-Security-Policy"]
    ana = Client()
    ana.force_login(people.ana)
    with transaction.atomic():  # as ATOMIC_REQUESTS has it
        assert ana.get("/inbox/?recipient=dora").status_code == 200
        assert ana.get("/inbox/?recipient=nobody").status_code == 404


def test_while_load_is_shed_the_page_shows_its_feed_without_a_socket(page: Page, web: Web, dora: Recipient) -> None:
    requests: list[str] = []
    # a route also switches the browser's cache off
    page.route("**/status.json", lambda route: route.continue_())
    send(message(dora, "Before"))
    visit(page, web, dora)
    expect(page.get_by_role("listitem")).to_contain_text("Before")
    set_switch(Switch.ON)
    expect_status(web, "shedding")
    page.goto("about:blank")
    send(message(dora, "Meanwhile"))
    page.on("request", lambda request: requests.append(request.url))
    page.on("websocket", lambda socket: requests.append(socket.url))
    link = demo_link(dora)
    page.goto(web.origin + link[link.index("/inbox/") :])
    expect(page.locator("notifier-inbox")).to_have_attribute("data-state", "waiting")
    expect(page.get_by_role("listitem")).to_contain_text("Before")
    # the page also shows the preferences, which a person came to change
    assert [url for url in requests if "/v1/inbox/" in url and "preferences" not in url] == []
    set_switch(Switch.AUTO)
    expect_status(web, "normal")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("notifier-inbox")).to_have_attribute("data-state", "live")
    expect(page.get_by_role("listitem").first).to_contain_text("Meanwhile")


def expect_status(web: Web, level: str) -> None:
    until = time.monotonic() + 60
    while httpx.get(f"{web.origin}/status.json").json()["level"] != level:
        assert time.monotonic() < until
        time.sleep(0.1)
