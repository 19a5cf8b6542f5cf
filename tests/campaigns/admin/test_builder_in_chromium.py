"""Audiences in a real browser, by keyboard: build, count, sample, save, upload bad lines, download these."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from campaigns.models import Audience
from tenants.models import Recipient
from tests.admin.axe import in_both_themes, sideways
from tests.browser import log_in
from tests.campaigns.conftest import Site
from tests.inbox.web import Web

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]


def choose(tab: Page, label: str, nth: int, option: str) -> None:
    """Choose in a drop-down by typing, as a person without a mouse does."""
    select = tab.get_by_label(label, exact=True).nth(nth)
    select.focus()
    select.select_option(label=option)


def test_an_audience_is_built_by_keyboard_and_a_list_is_mended(
    tab: Page, web: Web, site: Site, tmp_path: Path, settings: Any
) -> None:
    settings.MEDIA_ROOT = str(tmp_path)
    plans = {"ada": "pro", "bob": "free", "cy": "pro", "dee": "free"}
    for external_id, plan in plans.items():
        person = Recipient.objects.get(tenant=site.acme, external_id=external_id)
        person.attributes, person.phone = {"plan": plan, "points": len(external_id)}, "+436601234567"
        person.save()
    log_in(tab, web, site.people.ben)
    tab.set_viewport_size({"width": 1280, "height": 900})
    tab.goto(f"{web.origin}/admin/campaigns/audience/add/")
    tab.get_by_label("Name").fill("Pros")
    expect(tab.get_by_role("group", name="Condition 1")).to_be_visible()

    build(tab)
    tab.screenshot(path=tmp_path / "builder.png", full_page=True)
    mistake(tab)
    save(tab, tmp_path)
    upload(tab, web, tmp_path)


def build(tab: Page) -> None:
    """One condition, and a group of which one must hold."""
    choose(tab, "Field", 0, "plan (text)")
    tab.get_by_label("Value").focus()
    tab.keyboard.type("pro")
    status = tab.locator("#a-reach [role=status]")
    expect(status).to_have_text("2 people now")
    expect(tab.locator(".a-people")).to_contain_text("Ada")
    expect(tab.get_by_role("row", name="push")).to_contain_text("100 %")

    # a group of which one must hold; the field has the focus as soon as it is there
    tab.get_by_role("button", name="Add a group").focus()
    tab.keyboard.press("Enter")
    expect(tab.get_by_label("Field", exact=True).nth(1)).to_be_focused()
    choose(tab, "Field", 1, "country")
    tab.get_by_label("Comparison").nth(1).select_option(label="is one of")
    tab.get_by_label("Value. Type a value").focus()
    tab.keyboard.type("Austria")
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("button", name="Remove Austria")).to_be_visible()
    expect(status).to_have_text("2 people now")


def mistake(tab: Page) -> None:
    """A wrong value is shown at its condition."""
    tab.get_by_label("Value. Type a value").focus()
    tab.keyboard.type("Atlantis")
    tab.keyboard.press("Enter")
    expect(tab.locator(".a-row .a-error")).to_contain_text("two letters")
    tab.keyboard.press("Backspace")
    expect(tab.locator(".a-row .a-error")).to_have_count(0)


def save(tab: Page, tmp_path: Path) -> None:
    """JSON and conditions are one."""
    tab.get_by_text("Advanced").focus()
    tab.keyboard.press("Enter")
    written = tab.get_by_label("Filter", exact=True).input_value()
    assert '"country"' in written and '"AT"' in written
    assert in_both_themes(tab) == []
    assert sideways(tab) == 0
    tab.set_viewport_size({"width": 375, "height": 800})
    tab.screenshot(path=tmp_path / "narrow.png", full_page=True)
    tab.set_viewport_size({"width": 1280, "height": 900})
    tab.get_by_role("button", name="Save", exact=True).press("Enter")
    expect(tab.get_by_text("The audience “Pros” was created.")).to_be_visible()
    audience = Audience.objects.get(name="Pros")
    assert audience.filter == [
        {"field": "attributes.plan", "op": "eq", "value": "pro"},
        {"any": [{"field": "country", "op": "in", "value": ["AT"]}]},
    ]
    expect(tab.get_by_label("Value").first).to_have_value("pro")


def upload(tab: Page, web: Web, tmp_path: Path) -> None:
    """A list with bad lines, and their download."""
    tab.goto(f"{web.origin}/admin/campaigns/audience/add/")
    tab.get_by_label("Name").fill("Fair")
    tab.get_by_label("List: the external ids of a file").check()
    bad = b"external_id\nada\n=nobody\nada\n" + b"x" * 129 + b"\n"
    tab.get_by_label("CSV of external ids").set_input_files({"name": "fair.csv", "mimeType": "text/csv", "buffer": bad})
    tab.get_by_role("button", name="Save", exact=True).press("Enter")
    expect(tab.get_by_text("1 are recipients, 1 are not").first).to_be_visible()
    with tab.expect_download() as download:
        tab.get_by_role("link", name="Download the unknown").press("Enter")
    rows = list(csv.reader(io.StringIO(Path(download.value.path()).read_text("utf-8-sig"))))
    assert rows[0] == ["notifier_line", "notifier_problem", "external_id"]
    assert {row[0]: row[2][:8] for row in rows[1:]} == {"3": "'=nobody", "4": "ada", "5": "xxxxxxxx"}
    tab.screenshot(path=tmp_path / "list.png", full_page=True)
    assert in_both_themes(tab) == [] and sideways(tab) == 0
