"""The page of an A/B test: set up, armed, launched, looked at, and the winner chosen with a confirmation."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from campaigns.arming.planning.assignment import REST
from campaigns.edit.variants import put_variants
from campaigns.lifecycle.launching import launch
from campaigns.models import Campaign, CampaignVariant, Experiment
from tenants.models import User
from tests.admin import axe
from tests.browser import log_in
from tests.campaigns.conftest import Browser, Site, armed, page, text
from tests.campaigns.variants.conftest import crowd, parts, send_all, template_b
from tests.campaigns.variants.test_winner import count_test, mark_opened
from tests.inbox.web import Web

Browse = Callable[[User], Browser]
pytestmark = pytest.mark.django_db(transaction=True)


def shoot(tab: Page, name: str) -> None:
    """A picture for a person, where one is asked for."""
    if folder := os.environ.get("SCREENSHOTS"):
        tab.screenshot(path=f"{folder}/{name}.png", full_page=True)


def checked(tab: Page, name: str) -> None:
    assert axe.in_both_themes(tab) == [] and axe.sideways(tab) == 0
    shoot(tab, name)
    tab.evaluate("() => window.notifierTheme?.set('dark')")
    shoot(tab, f"{name}-dark")
    tab.evaluate("() => window.notifierTheme?.set('light')")
    tab.set_viewport_size({"width": 375, "height": 800})
    shoot(tab, f"{name}-375")
    tab.set_viewport_size({"width": 1280, "height": 800})


@pytest.mark.browser
def test_a_marketer_tests_two_variants_and_chooses_one(tab: Page, web: Web, site: Site) -> None:
    crowd(site, 300)
    template_b(site)
    campaign = site.draft()
    log_in(tab, web, site.people.ben)
    tab.goto(web.origin + page("variants", campaign))
    tab.get_by_role("group", name="Variant B").get_by_label("Template").select_option("spring")
    tab.get_by_label("Share of the audience that tests (%)").fill("60")
    tab.get_by_role("button", name="Save").click()
    expect(tab.get_by_role("alert")).to_contain_text("same template and version")
    tab.get_by_role("group", name="Variant B").get_by_label("Template").select_option("spring-b")
    tab.get_by_label("Share that gets nothing (%)").fill("5")
    tab.get_by_role("button", name="Save").click()
    expect(tab.get_by_role("heading", name="Who gets what")).to_be_visible()
    checked(tab, "ab-draft")
    campaign.refresh_from_db()
    campaign = armed(Campaign.objects.select_related("template", "audience", "tenant").get(pk=campaign.pk))
    launch.go(campaign.tenant_id, campaign.pk)
    send_all(campaign)
    count_test(campaign)
    mark_opened(campaign, "A", 0.2)
    mark_opened(campaign, "B", 0.6)
    tab.reload()
    expect(tab.get_by_text("B opens better than A: ")).to_be_visible()
    expect(tab.get_by_text("The rest waits until a person chooses the winner.")).to_be_visible()
    checked(tab, "ab-results")
    tab.get_by_role("link", name="Choose B …").click()
    waiting = sum(part == REST for part in parts(campaign).values())
    expect(tab.get_by_text(f"The {waiting} people who wait get variant B")).to_be_visible()
    checked(tab, "ab-winner")
    tab.get_by_role("button", name="Send variant B to the rest").click()
    expect(tab.get_by_text("Variant B was chosen by a person.")).to_be_visible()
    assert Experiment.objects.get(campaign=campaign).decided_by == site.people.ben


def test_who_may_see_and_change_a_test(site: Site, browser: Callable[[User], Browser]) -> None:
    """A viewer looks; the other tenant sees nothing; GETs change nothing."""
    crowd(site, 60)
    template_b(site)
    campaign = site.draft()
    put_variants(campaign, {"variants": [{}, {"template": "spring-b"}], "test_percent": 60})
    viewer, stranger, author = browser(site.vic), browser(site.people.cleo), browser(site.people.ben)
    assert "Save" not in text(viewer.get(page("variants", campaign)))
    fields = {"template_A": "spring", "template_B": "spring-b", "test_percent": "50"}
    assert viewer.post(page("variants", campaign), "/admin/", **fields).status_code == 403
    assert stranger.get(page("variants", campaign)).status_code == 404
    assert stranger.get(page("winner", campaign)).status_code == 404
    armed(campaign)
    launch.go(campaign.tenant_id, campaign.pk)
    url = page("winner", campaign)
    assert "Send variant B to the rest" in text(author.get(f"{url}?variant=B"))
    assert author.get(f"{url}?variant=Z").status_code == 302
    assert viewer.get(f"{url}?variant=B").status_code == 403
    assert viewer.post(url, "/admin/", variant="B").status_code == 403
    assert Experiment.objects.get(campaign=campaign).winner == ""
    for _ in range(2):
        author.post(url, "/admin/", variant="B")
    assert Experiment.objects.get(campaign=campaign).winner == "B"
    assert author.post(page("variants", campaign), "/admin/", **fields).status_code == 403
    assert CampaignVariant.objects.filter(campaign=campaign).count() == 2


def test_a_bad_number_is_named_and_the_form_keeps_it(site: Site, browser: Callable[[User], Browser]) -> None:
    template_b(site)
    campaign = site.draft()
    author = browser(site.people.ben)
    fields = {"template_A": "spring", "template_B": "spring-b", "version_B": "x", "test_percent": "50"}
    answer = author.post(page("variants", campaign), **fields)
    assert answer.status_code == 400 and "Variant B: the version must be a whole number" in text(answer)
    assert 'value="x"' in answer.content.decode()
    assert not Experiment.objects.exists()
