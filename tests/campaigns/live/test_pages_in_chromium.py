"""The launch page and the report in a browser: live, with a lost socket, paused, ended, printed, on a phone."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, WebSocketRoute, expect

from campaigns.lifecycle.fan_out import finish
from campaigns.lifecycle.launching import launch
from campaigns.lifecycle.running import pausing
from campaigns.models import Campaign, Shard
from campaigns.report import accounting
from campaigns.sending import shards
from tests.admin import axe
from tests.browser import log_in
from tests.campaigns.conftest import Site, armed, page, sent
from tests.inbox.web import Web

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]


class Line:
    """The way to the socket, which a test can cut."""

    def __init__(self, tab: Page) -> None:
        self.is_cut, self._open = False, list[WebSocketRoute]()
        tab.route_web_socket("**/live/**", self._route)

    def _route(self, socket: WebSocketRoute) -> None:
        if self.is_cut:
            socket.close(code=1011)
            return
        socket.connect_to_server()
        self._open.append(socket)

    def cut(self) -> None:
        self.is_cut = True
        for socket in self._open:
            socket.close(code=1011)
        self._open.clear()


def look(tab: Page, name: str) -> None:
    """A picture for a person who asks for it, in light, dark and on a phone."""
    if folder := os.environ.get("LOOK"):
        for theme in ("light", "dark"):
            tab.evaluate("theme => window.notifierTheme?.set(theme)", theme)
            tab.screenshot(path=f"{folder}/{name}-{theme}.png", full_page=True)
        tab.evaluate("() => window.notifierTheme?.set('light')")
        tab.set_viewport_size({"width": 375, "height": 800})
        tab.screenshot(path=f"{folder}/{name}-375.png", full_page=True)
        tab.set_viewport_size({"width": 1280, "height": 900})


def test_a_campaign_is_watched_to_its_report(tab: Page, web: Web, site: Site) -> None:
    campaign = armed(site.draft())
    launch.go(campaign.tenant_id, campaign.pk)
    line = Line(tab)
    log_in(tab, web, site.people.ben)
    tab.goto(web.origin + page("change", campaign))
    lost, facts = tab.locator("[data-live-lost]"), tab.locator("[data-live-part=facts]")
    expect(facts).to_contain_text("sent of 4")
    expect(lost).to_be_hidden()

    # the socket is lost: the page says so, and asks instead
    line.cut()
    expect(lost).to_be_visible()
    shard = Shard.objects.filter(campaign=campaign)
    now = datetime.now(UTC)
    shard.update(state="running", began_at=now, lease_until=now + timedelta(hours=1), begun=2, sent=2, worker="one")
    expect(tab.locator("[data-live-percent-text]")).to_have_text("50 %")
    expect(tab.locator("[data-plot=sent-a-second] svg")).to_be_visible()
    line.is_cut = False
    expect(lost).to_be_hidden()
    assert axe.in_both_themes(tab) == []
    assert axe.sideways(tab) == 0
    look(tab, "live")

    # a pause by a click is answered with the account; a colleague's resume and the end are seen without a click
    tab.get_by_role("button", name="Pause").click()
    expect(tab.get_by_text("2 were sent, 0 failed, 2 wait; 0 are in flight and will be counted.")).to_be_visible()
    shard.update(state="armed", began_at=None, lease_until=None, begun=0, sent=0, worker="")
    pausing.resume(campaign.tenant_id, campaign.pk)
    expect(tab.get_by_role("button", name="Pause")).to_be_visible()
    for pk in shard.values_list("pk", flat=True):
        shards.send_shard(pk, "bulk@one")
    accounting.account(campaign.pk)
    expect(tab.get_by_text("From sent to unsubscribed").first).to_be_visible()
    check_report(tab)


def check_report(tab: Page) -> None:
    assert axe.in_both_themes(tab) == []
    assert axe.sideways(tab) == 0
    look(tab, "report")
    with tab.expect_download() as picture:
        tab.get_by_role("button", name="Save “From sent to unsubscribed” as PNG").click()
    assert picture.value.suggested_filename == "funnel.png"
    with open(picture.value.path(), "rb") as file:
        assert file.read(8) == b"\x89PNG\r\n\x1a\n"
    with tab.expect_download() as table:
        tab.get_by_role("link", name="Results as CSV").click()
    assert table.value.suggested_filename == "Spring-results.csv"
    tab.get_by_role("link", name="Language").click()
    expect(tab.get_by_role("columnheader", name="Language")).to_be_visible()
    tab.emulate_media(media="print")
    expect(tab.get_by_role("link", name="Results as CSV")).to_be_hidden()
    expect(tab.get_by_text("From sent to unsubscribed").first).to_be_visible()
    if folder := os.environ.get("LOOK"):
        tab.screenshot(path=f"{folder}/report-print.png", full_page=True)
    tab.emulate_media(media="screen")


def test_the_pages_after_the_report_are_accessible(tab: Page, web: Web, site: Site) -> None:
    first, second = sent(armed(site.draft())), sent(armed(site.draft(name="Summer")))
    for campaign in (first, second):
        finish.finish_if_done(campaign.pk)
        accounting.account(campaign.pk)
    log_in(tab, web, site.people.ben)
    addresses: dict[str, Any] = {
        "compare": f"{page('compare', first)}?with={second.pk}",
        "retry": page("retry", first),
        "correct": page("correct", first),
    }
    for name, address in addresses.items():
        answer = tab.goto(web.origin + address)
        assert answer is not None
        assert answer.status == 200
        assert axe.in_both_themes(tab) == [], name
        assert axe.sideways(tab) == 0, name
        look(tab, name)
    tab.get_by_role("button", name="Make the draft").click()
    expect(tab.get_by_text("Nothing is sent before you arm it and press GO.")).to_be_visible()
    assert Campaign.objects.filter(corrects=first).count() == 1
