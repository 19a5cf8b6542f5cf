"""One walk through the composer in a browser: write, see the mistake at its line, translate, preview as a person,
upload a picture, publish, send it to oneself."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from notifier.delivery.content import templates
from notifier.models import Notification, Template
from tenants.models import Recipient
from tests.admin.axe import in_both_themes, sideways
from tests.browser import log_in
from tests.fixtures import People
from tests.inbox.web import Web

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c63f8cfc0f01f00050001ff"
    "a7d5c5d80000000049454e44ae426082"
)
MJML = (
    "<mjml><mj-body><mj-section><mj-column><mj-text>Hello {{ recipient.name }}</mj-text></mj-column></mj-section>"
    "</mj-body></mjml>"
)


@pytest.fixture
def web(django_db_setup: None, tmp_path: Path) -> Iterator[Web]:
    server = Web(UPLOADS_DIR=str(tmp_path))
    yield server
    server.stop()


def write(tab: Page, label: str, text: str) -> None:
    """Replace the text of the editor with this label."""
    field = tab.get_by_role("textbox", name=label, exact=True)
    field.click()
    tab.keyboard.press("Control+a")
    tab.keyboard.press("Backspace")
    # as a paste: typing would close brackets
    tab.keyboard.insert_text(text)


def shot(tab: Page, name: str) -> None:
    if folder := os.environ.get("SCREENSHOTS"):
        tab.screenshot(path=f"{folder}/{name}.png", full_page=True)


def check_page(tab: Page) -> None:
    """The page is accessible in light and dark, and fits a small screen."""
    assert in_both_themes(tab) == []
    assert sideways(tab) == 0


def write_in_two_languages(tab: Page) -> None:
    tab.get_by_role("button", name="Inbox", exact=True).click()
    write(tab, "Title", "Hello {{ recipient.name }}")
    write(tab, "Body", "Your order\n{{ order | nofilter }}")
    mistake = tab.locator("[data-mistakes='in_app:en:body']")
    expect(mistake).to_contain_text("Line 2, column 12: Unknown filter: nofilter.")
    write(tab, "Body", "Your order {{ order }} is on its way. {{ ")
    tab.keyboard.type("recipient.na")
    # completion offers the tenant's variables
    expect(tab.locator(".cm-tooltip-autocomplete")).to_contain_text("name")
    tab.keyboard.press("Escape")
    write(tab, "Body", "Your order {{ order }} is on its way.")
    expect(mistake).to_be_empty()
    expect(tab.locator(".inbox-card")).to_contain_text("‹order›")
    # a second locale begins as a copy, and is what Ada gets
    tab.get_by_label("Another locale").fill("de")
    tab.get_by_label("Another locale").press("Enter")
    expect(tab.get_by_role("tab", name="de up to date", selected=True)).to_be_visible()
    write(tab, "Title", "Hallo {{ recipient.name }}")
    tab.get_by_role("tab", name="en default").click()
    tab.get_by_label("Preview as").fill("lovela")
    tab.get_by_role("option", name="Ada Lovelace").click()
    expect(tab.locator(".inbox-card")).to_contain_text("Hallo Ada Lovelace")
    shot(tab, "2-inbox")


def write_an_email(tab: Page) -> None:
    """In MJML, shown in a frame that has a policy of its own."""
    tab.get_by_label("Another channel").select_option("email")
    tab.locator(".composer__add").get_by_role("button", name="Add", exact=True).click()
    write(tab, "Subject", "Welcome")
    write(tab, "HTML or MJML", MJML.replace("</mj-text>", ""))
    expect(tab.locator("[data-mistakes='email:en:html']")).to_contain_text("The MJML cannot be read")
    write(tab, "HTML or MJML", MJML)
    shown = tab.frame_locator(".mail__frame iframe").get_by_text("Hello Ada Lovelace")
    expect(shown).to_be_visible()
    expect(tab.locator("#composer-preview")).to_contain_text("there is no address for this channel")
    for view in ("Dark", "Phone"):
        tab.get_by_role("button", name=view, exact=True).click()
        expect(shown).to_be_visible()
    with tab.expect_file_chooser() as chosen:
        tab.get_by_text("Upload a picture").locator("visible=true").click()
    chosen.value.set_files({"name": "a.png", "mimeType": "image/png", "buffer": PNG})
    expect(tab.get_by_text("The picture is uploaded.")).to_be_visible()
    write(tab, "HTML or MJML", MJML)
    shot(tab, "3-email")


def publish(tab: Page) -> None:
    """What cannot be published says so at its field, and keeps what was typed."""
    tab.get_by_role("tab", name="Inbox").click()
    tab.get_by_role("tab", name="en default").click()
    write(tab, "Title", "Hello {{ recipient.name")
    tab.get_by_role("button", name="Publish").click()
    expect(tab.locator("[data-mistakes='in_app:en:title'] .n-error")).to_contain_text("is not closed by }}")
    assert not Template.objects.filter(key="welcome").exists()
    shot(tab, "4-mistake")
    write(tab, "Title", "Hello {{ recipient.name }}")
    tab.get_by_label("What changed").fill("First text")
    tab.get_by_role("button", name="Publish").click()
    expect(tab.get_by_text("Version 1 is published.")).to_be_visible()
    content: Any = Template.objects.get(key="welcome").versions.get().content
    assert content["in_app"]["de"]["title"] == "Hallo {{ recipient.name }}"
    assert content["email"]["en"]["html"] == MJML


def send_it_to_me(tab: Page) -> None:
    tab.get_by_role("tab", name="Inbox").click()
    tab.locator("#composer-data").fill('{"order": "4711"}')
    expect(tab.locator(".inbox-card")).to_contain_text("4711")
    expect(tab.get_by_label("Send it to me: my own external id")).to_have_value("ben-1")
    tab.get_by_role("button", name="Send it to me").click()
    expect(tab.locator("#composer-sent")).to_contain_text("Inbox: on its way")
    assert Notification.objects.filter(recipient__external_id="ben-1").count() == 1
    shot(tab, "5-sent")


def test_a_template_is_written_previewed_published_and_sent_to_oneself(tab: Page, web: Web, people: People) -> None:
    acme = people.acme
    Recipient.objects.create(tenant=acme, external_id="ada", name="Ada Lovelace", locale="de")
    Recipient.objects.create(tenant=acme, external_id="ben-1", name="Ben Author", email="ben@example.com")
    log_in(tab, web, people.ben)
    tab.goto(web.origin + reverse("admin:notifier_template_add"))
    tab.locator("[name=key]").fill("welcome")
    shot(tab, "1-empty")
    write_in_two_languages(tab)
    write_an_email(tab)
    publish(tab)
    send_it_to_me(tab)
    check_page(tab)
    row = Template.objects.get(key="welcome")
    templates.publish(row, {"in_app": {"en": {"title": "Hello again", "body": "x"}}}, people.ben)
    for name in ("versions", "difference", "preview"):
        tab.goto(web.origin + reverse(f"admin:notifier_template_{name}", args=[row.pk]))
        check_page(tab)
        shot(tab, f"6-{name}")
