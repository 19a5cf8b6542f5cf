"""The demo page's button "Notify me in this browser", and the service worker, in a real browser."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from inbox.http.demo_page import demo_link
from inbox.tokens import mint
from notifier.local.processes.programs import PROJECT
from notifier.sandbox.web_push import subscriptions
from tenants.models import Device, Recipient
from tests.inbox.push_browser import PushBrowser, content, new_person
from tests.inbox.web import Web

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]


@pytest.fixture
def browser(chrome: Browser, web: Web) -> Iterator[PushBrowser]:
    with new_person(chrome, web.origin) as person:
        yield person


def visit(browser: PushBrowser, recipient: Recipient, permission: str = "granted") -> None:
    link = demo_link(recipient)
    browser.page.goto(browser.origin + "/healthz")
    browser.permit(permission)
    browser.page.goto(browser.origin + link[link.index("/inbox/") :])


def state(browser: PushBrowser, expected: str) -> None:
    expect(browser.page.locator("#push")).to_have_attribute("data-state", expected)


def turn_on(browser: PushBrowser) -> None:
    browser.page.get_by_role("button", name="Notify me in this browser").click()
    state(browser, "subscribed")


def tokens_of(recipient: Recipient) -> list[str]:
    return list(Device.objects.filter(recipient=recipient).values_list("token", flat=True))


def test_a_person_turns_notifications_on_and_off_with_the_keyboard(browser: PushBrowser, dora: Recipient) -> None:
    visit(browser, dora)
    state(browser, "unsubscribed")
    button = browser.page.get_by_role("button", name="Notify me in this browser")
    button.focus()
    browser.page.keyboard.press("Enter")
    expect(browser.page.locator("#push .state")).to_have_text("Notifications are on in this browser.")
    (token,) = tokens_of(dora)
    assert token.startswith("https://fcm.googleapis.com/wp/s")
    expect(browser.page.get_by_role("button", name="Stop notifying me in this browser")).to_be_focused()
    browser.page.keyboard.press("Enter")
    expect(browser.page.locator("#push .state")).to_have_text("Notifications are off in this browser.")
    assert tokens_of(dora) == []


def test_a_later_visit_registers_the_browser_again(browser: PushBrowser, dora: Recipient, emil: Recipient) -> None:
    visit(browser, dora)
    turn_on(browser)
    first = Device.objects.get(recipient=dora)
    visit(browser, dora)
    state(browser, "subscribed")
    assert Device.objects.get(recipient=dora).last_seen_at > first.last_seen_at
    visit(browser, emil)  # another person signs in
    state(browser, "subscribed")
    assert (tokens_of(dora), tokens_of(emil)) == ([], [first.token])


def test_a_new_key_makes_a_new_subscription(browser: PushBrowser, dora: Recipient) -> None:
    visit(browser, dora)
    turn_on(browser)
    (before,) = tokens_of(dora)
    other_key = subscriptions.create(None, "sandbox")["keys"]["p256dh"]
    answer = json.dumps({"public_key": other_key, "key_id": "other-ky"})
    browser.page.route("**/v1/inbox/push-key*", lambda route: route.fulfill(body=answer))
    visit(browser, dora)
    state(browser, "subscribed")
    (after,) = tokens_of(dora)
    assert after.endswith(".other-ky")
    assert after.partition("#")[0] != before.partition("#")[0]


def test_a_blocked_permission_is_told(browser: PushBrowser, dora: Recipient) -> None:
    visit(browser, dora, "denied")
    state(browser, "denied")
    expect(browser.page.locator("#push .state")).to_contain_text("Allow them for this site in your browser's settings")
    expect(browser.page.get_by_role("button", name="Notify me in this browser")).to_be_disabled()
    assert tokens_of(dora) == []


#: playwright's own calls count as clicks, so the page calls by itself
SUBSCRIBE_AT_ONCE = """addEventListener("DOMContentLoaded", async () => {
  if (!document.getElementById("push")) return;
  const { NotifierPush } = await import("/static/push/notifier-push.js");
  const push = new NotifierPush({ tokenUrl: push_token_url, serviceWorker: "/inbox/service-worker.js" });
  window.code = await push.subscribe().catch((error) => error.code);
})""".replace("push_token_url", 'document.getElementById("push").dataset.tokenUrl')


def test_only_a_click_asks_for_the_permission(browser: PushBrowser, dora: Recipient) -> None:
    browser.page.add_init_script(SUBSCRIBE_AT_ONCE)
    visit(browser, dora)
    browser.page.wait_for_function("window.code")
    assert browser.page.evaluate("window.code") == "gesture"
    state(browser, "unsubscribed")


def test_an_error_of_the_server_is_told_in_plain_words(browser: PushBrowser, dora: Recipient) -> None:
    visit(browser, dora)
    state(browser, "unsubscribed")
    problem = json.dumps({"code": "no_push_key", "detail": "The tenant has no Web Push account."})
    browser.page.route("**/v1/inbox/push-key*", lambda route: route.fulfill(status=404, body=problem))
    browser.page.get_by_role("button", name="Notify me in this browser").click()
    expect(browser.page.locator("#push .state")).to_have_text("This site does not send notifications to browsers yet.")


def test_a_push_is_shown_and_a_click_opens_its_link(browser: PushBrowser, dora: Recipient) -> None:
    visit(browser, dora)
    turn_on(browser)
    actions = [{"action": "track", "title": "Track it", "link": "https://acme.example/track"}]
    options = {"require_interaction": "true", "actions": actions, "icon": "javascript:alert(1)"}
    browser.deliver(content(link="/orders/17", options=options, badge="3"))
    (shown,) = browser.notifications()
    assert (shown["title"], shown["body"], shown["tag"]) == ("Order 17", "It has left.", "d1")
    assert (shown["requireInteraction"], shown["actions"]) == (True, ["Track it"])
    assert browser.click("Order 17", "track") == ["https://acme.example/track"]
    assert browser.notifications(0) == []


def test_a_repeat_of_a_message_is_shown_once(browser: PushBrowser, dora: Recipient) -> None:
    visit(browser, dora)
    turn_on(browser)
    for title, delivery in (("first", "d1"), ("again", "d1"), ("another", "d2")):
        browser.deliver(content(title=title, delivery_id=delivery))
    assert {shown["title"] for shown in browser.notifications(2)} == {"again", "another"}


def test_a_link_that_no_worker_may_open_leads_to_the_app(browser: PushBrowser, dora: Recipient) -> None:
    visit(browser, dora)
    turn_on(browser)
    browser.page.goto(browser.origin + "/healthz")  # no page of the app is open
    for number, link in enumerate(("javascript:alert(1)", "http://attacker.example/", "acme://orders", "")):
        browser.deliver(content(title=str(number), delivery_id=str(number), link=link))
    browser.notifications(4)
    for number in range(4):
        assert browser.click(str(number)) == [f"{browser.origin}/inbox/"]


def test_data_messages_and_options_that_do_not_fit_together(browser: PushBrowser, dora: Recipient) -> None:
    visit(browser, dora)
    turn_on(browser)
    listen = """() => {
      window.heard = [];
      navigator.serviceWorker.addEventListener("message", ({ data }) => heard.push(data));
    }"""
    browser.page.evaluate(listen)
    browser.deliver(json.dumps({"delivery_id": "d7", "data": {"refresh": "orders"}}))
    browser.page.wait_for_function("heard.length === 1")
    assert browser.page.evaluate("heard[0].message.data") == {"refresh": "orders"}
    assert browser.notifications(0) == []
    browser.deliver(json.dumps({"title": "of another sender"}))
    browser.deliver(content(options={"silent": "true", "vibrate": "200,100", "dir": "sideways", "actions": "no list"}))
    assert [shown["title"] for shown in browser.notifications()] == ["Order 17"]


#: the browser replaces a subscription by itself, while no page is open
CHANGE = """async ([before, after]) => {
  const dressed = (subscription) => ({ ...subscription, toJSON: () => subscription, unsubscribe: async () => true });
  const event = new ExtendableEvent("pushsubscriptionchange");
  Object.assign(event, { oldSubscription: dressed(before), newSubscription: dressed(after) });
  let work;
  event.waitUntil = (promise) => { work = promise; };
  self.dispatchEvent(event);
  await work;
}"""


def test_a_subscription_that_the_browser_changes_is_registered_without_a_page(
    browser: PushBrowser, dora: Recipient
) -> None:
    visit(browser, dora)
    turn_on(browser)
    before = browser.page.evaluate("async () => (await PushManager.prototype.getSubscription()).toJSON()")
    after = subscriptions.create({"host": "fcm.googleapis.com"}, "")
    browser.page.goto("about:blank")
    browser.worker.evaluate(CHANGE, [before, after])
    (token,) = tokens_of(dora)
    assert token.startswith(f"{after['endpoint']}#")


HOW_TO = (PROJECT / "docs/how-to/web-push-in-a-page.md").read_text()


@pytest.fixture
def shop(tmp_path: Path, web: Web, dora: Recipient) -> Iterator[str]:
    """The origin of a tenant's own site: the files of the how-to, as they stand there."""
    blocks = {kind: HOW_TO.split(f"```{kind}\n")[1].split("```")[0] for kind in ("js", "html")}
    files = {
        "notifier-push-worker.js": blocks["js"],
        "index.html": f"<!doctype html><title>Shop</title>{blocks['html']}",
        "your/inbox-token": json.dumps({"token": mint(dora)[0]}),
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text.replace("https://notify.example.com", web.origin))
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(tmp_path)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_the_page_of_the_how_to_works_on_an_origin_of_its_own(chrome: Browser, shop: str, dora: Recipient) -> None:
    with new_person(chrome, shop) as browser:
        browser.page.goto(shop)
        browser.permit("granted")
        browser.page.reload()
        expect(browser.page.locator("#notify-state")).to_have_text("Notifications are off in this browser.")
        browser.page.get_by_role("button", name="Notify me").click()
        expect(browser.page.locator("#notify-state")).to_have_text("Notifications are on in this browser.")
        assert len(tokens_of(dora)) == 1
        browser.deliver(content(link="/orders/17"))
        browser.notifications(scope="/")
        assert browser.click("Order 17") == [f"{shop}/orders/17"]


def test_the_page_with_the_button_fits_a_small_phone(browser: PushBrowser, dora: Recipient, tmp_path: Path) -> None:
    visit(browser, dora)
    state(browser, "unsubscribed")
    browser.page.locator("notifier-inbox").evaluate("widget => widget.removeAttribute('open')")
    folder = Path(os.environ.get("SCREENSHOTS", tmp_path))
    for name, width in (("phone", 320), ("desktop", 1180)):
        browser.page.set_viewport_size({"width": width, "height": 760})
        browser.page.screenshot(path=folder / f"push-{name}.png", full_page=True)
        assert browser.page.evaluate("document.documentElement.scrollWidth") <= width
