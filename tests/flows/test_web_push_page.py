"""Web push from the button of a page to the notification and its click: API, worker and encryption are the product's,
page and service worker run in Chromium, and the sandbox is the push service between them."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Browser, expect

from tests.flows.sandbox import Sandbox
from tests.flows.site import Site
from tests.flows.tenant import Tenant
from tests.flows.wait import until
from tests.inbox.push_browser import new_person

pytestmark = pytest.mark.browser
LINK = """
from inbox.http.demo_page import demo_link
from tenants.models import Recipient
print("made", demo_link(Recipient.objects.get(tenant__slug="{slug}", external_id="ann")))
"""
PARTS = {"title": "Hello {{ recipient.name }}", "body": "Order {{ order }} left.", "link": "https://acme.example/A-7"}


def demo_page(site: Site, tenant: Tenant) -> str:
    done = site.manage("shell", "-c", LINK.format(slug=tenant.credentials.slug))
    link = next(line.partition(" ")[2] for line in done.stdout.splitlines() if line.startswith("made "))
    return site.url + link[link.index("/inbox/") :]


def test_a_push_reaches_the_browser_and_its_click_is_counted(
    site: Site, tenant: Tenant, sandbox: Sandbox, chrome: Browser
) -> None:
    tenant.person("ann")
    tenant.publish("order", "order-updates", {"push": {"en": PARTS}})
    tenant.track("on")
    with new_person(chrome, site.url, sandbox.subscription) as browser:
        page = browser.page
        page.goto(f"{site.url}/healthz")
        browser.permit("granted")
        page.goto(demo_page(site, tenant))
        page.get_by_role("button", name="Notify me in this browser").click()
        expect(page.locator("#push")).to_have_attribute("data-state", "subscribed")
        (device,) = tenant.devices("ann")
        endpoint = device["token"].partition("#")[0]

        sent = tenant.send("ann", "order", data={"order": "A-7"})
        assert tenant.wait_until_final(sent) == {"push": "sent"}
        (content,) = sandbox.pushed(endpoint)
        browser.deliver(content)
        (shown,) = browser.notifications()
        assert (shown["title"], shown["body"]) == ("Hello Ann", "Order A-7 left.")
        assert browser.click("Hello Ann") == ["https://acme.example/A-7"]
        until(lambda: tenant.statuses(sent) == {"push": "clicked"}, "the click to be counted")
        (delivery,) = tenant.notification(sent)["deliveries"]
        assert json.loads(content)["delivery_id"] == delivery["id"]

        page.get_by_role("button", name="Stop notifying me in this browser").click()
        expect(page.locator("#push")).to_have_attribute("data-state", "unsubscribed")
    assert tenant.devices("ann") == []
