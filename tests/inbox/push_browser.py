"""A browser whose push service is the sandbox's: no test can reach the browser's own.

Only `PushManager` is replaced, in the page. Permission, service worker, notifications and storage are Chromium's.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, Worker

from notifier.sandbox.web_push import subscriptions
from tests.browser import TIMEOUT

_PUSH_MANAGER = """(() => {
  const KEPT = "subscription of the test";
  const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
  const text = (key) => typeof key === "string" ? key
    : btoa(String.fromCharCode(...key)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  const kept = () => {
    const stored = JSON.parse(localStorage.getItem(KEPT));
    return stored && {
      endpoint: stored.endpoint,
      options: { userVisibleOnly: true, applicationServerKey: bytes(stored.key).buffer },
      toJSON: () => ({ endpoint: stored.endpoint, expirationTime: null, keys: stored.keys }),
      unsubscribe: async () => { localStorage.removeItem(KEPT); return true; },
    };
  };
  PushManager.prototype.getSubscription = async () => kept();
  PushManager.prototype.subscribe = async ({ applicationServerKey }) => {
    const key = text(applicationServerKey);
    localStorage.setItem(KEPT, JSON.stringify({ ...(await makeSubscription(key)), key }));
    return kept();
  };
})()"""
_NOTIFICATIONS = """async (scope) => {
  const registration = await navigator.serviceWorker.getRegistration(scope);
  return (await registration.getNotifications()).map(({ title, body, tag, image, requireInteraction, actions }) =>
    ({ title, body, tag, image, requireInteraction, actions: actions.map((each) => each.title) }));
}"""
#: a click needs a person; a worker that got one may open a window, which the test notes in its place
_CLICK = """async ([title, action]) => {
  const shown = (await registration.getNotifications()).find((each) => each.title === title);
  const opened = [];
  clients.openWindow = async (url) => { opened.push(url); };
  const event = new NotificationEvent("notificationclick", { notification: shown, action });
  let work;
  event.waitUntil = (promise) => { work = promise; };
  self.dispatchEvent(event);
  await work;
  return opened;
}"""


def _make_subscription(key: str) -> dict[str, Any]:
    return subscriptions.create({"application_server_key": key, "host": "fcm.googleapis.com"}, "")


@dataclass
class PushBrowser:
    """One person's browser. `make_subscription`: the push service, which gets the VAPID key."""

    context: BrowserContext
    page: Page
    origin: str
    errors: list[str] = field(default_factory=list)

    def permit(self, setting: str) -> None:
        """What the person answers to the browser: `granted`, `denied` or `prompt`."""
        session = self.context.new_cdp_session(self.page)
        context_id = session.send("Target.getTargetInfo")["targetInfo"]["browserContextId"]
        values = {"origin": self.origin, "browserContextId": context_id, "setting": setting}
        session.send("Browser.setPermission", values | {"permission": {"name": "notifications"}})

    def deliver(self, content: str) -> None:
        """The push service hands a decrypted message to the service worker."""
        registrations: list[dict[str, Any]] = []
        session = self.context.new_cdp_session(self.page)
        session.on("ServiceWorker.workerRegistrationUpdated", lambda e: registrations.extend(e["registrations"]))
        session.send("ServiceWorker.enable")
        while not registrations:
            self.page.wait_for_timeout(50)
        values = {"origin": self.origin, "registrationId": registrations[-1]["registrationId"], "data": content}
        session.send("ServiceWorker.deliverPushMessage", values)
        session.detach()

    def notifications(self, count: int = 1, scope: str = "/inbox/") -> list[dict[str, Any]]:
        """What the browser shows, once it is so many."""
        while len(shown := self.page.evaluate(_NOTIFICATIONS, scope)) != count:
            self.page.wait_for_timeout(50)
        found: list[dict[str, Any]] = shown
        return found

    def click(self, title: str, action: str = "") -> list[str]:
        """The person clicks a notification. Returns the addresses that the worker opens."""
        opened: list[str] = self.worker.evaluate(_CLICK, [title, action])
        return opened

    @property
    def worker(self) -> Worker:
        return self.context.service_workers[0]


@contextmanager
def new_person(
    chrome: Browser, origin: str, make_subscription: Callable[[str], Any] = _make_subscription
) -> Iterator[PushBrowser]:
    """A browser without cookies, workers and permissions. The test fails if it reports an error of a script or of the
    policy."""
    context = chrome.new_context(viewport={"width": 1180, "height": 780})
    page = context.new_page()
    page.set_default_timeout(TIMEOUT)
    browser = PushBrowser(context, page, origin)
    page.on("pageerror", lambda error: browser.errors.append(str(error)))
    page.on("console", lambda e: browser.errors.append(e.text) if "Content Security" in e.text else None)
    page.expose_function("makeSubscription", make_subscription)
    page.add_init_script(_PUSH_MANAGER)
    yield browser
    context.close()
    assert browser.errors == []


def content(**parts: Any) -> str:
    return json.dumps({"title": "Order 17", "body": "It has left.", "delivery_id": "d1", "options": {}} | parts)
