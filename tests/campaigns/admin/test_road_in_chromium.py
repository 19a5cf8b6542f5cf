"""Two people take a campaign from an empty form to GO in a real browser; what must fail fails with a sentence."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from campaigns import arming
from campaigns.edit import campaigns
from campaigns.models import Campaign
from tenants.models import AuditLog, Member, Tenant, User
from tests.admin.axe import in_both_themes, sideways
from tests.browser import log_in
from tests.campaigns.conftest import Site, armed, page
from tests.inbox.web import Web

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]


def check(tab: Page) -> None:
    """Readable for everyone, in light and dark, and on a small screen."""
    assert in_both_themes(tab) == []
    assert sideways(tab) == 0


def switch(tab: Page, web: Web, user: User, address: str) -> None:
    tab.context.clear_cookies()
    log_in(tab, web, user)
    tab.goto(web.origin + address)


def test_two_people_take_a_campaign_from_an_empty_form_to_go(tab: Page, web: Web, site: Site) -> None:
    Tenant.objects.filter(pk=site.acme.pk).update(approval="always", confirm_above=3, require_test_copy=True)
    ada = User.objects.create_user("ada", "ada@example.com", "a long password", is_staff=True)
    Member.objects.create(tenant=site.acme, user=ada, role=Member.Role.APPROVER)
    log_in(tab, web, site.people.ben)
    tab.goto(f"{web.origin}/admin/campaigns/campaign/")
    check(tab)
    tab.get_by_role("link", name="Write the first campaign").click()
    tab.locator("#id_name").fill("Spring sale")
    tab.locator("#id_template").select_option(str(site.template.pk))
    expect(tab.locator(".road-none", has_text="no content for it")).to_have_count(3)
    tab.get_by_label("what").fill("Spring")
    tab.locator("#id_audience").select_option(str(site.everybody.pk))
    expect(tab.get_by_text("It reaches 4 people now.")).to_be_visible()
    expect(tab.locator(".road-look")).to_contain_text("Spring is here")
    check(tab)
    tab.get_by_role("button", name="Save", exact=True).click()
    expect(tab.locator("#step-arm")).to_contain_text("next")
    check(tab)
    campaign = Campaign.objects.get()
    assert campaign.data == {"what": "Spring"}
    tab.get_by_role("button", name="Arm", exact=True).click()
    expect(tab.get_by_text("Back to draft")).to_be_visible()
    arming.arm(campaign.pk)
    # the page asks for its state, and loads itself anew
    tab.locator("#copy-recipient").fill("ada")
    tab.get_by_role("button", name="Send a copy").click()
    expect(tab.locator("#step-copy")).to_contain_text("done")
    tab.get_by_role("button", name="Ask for approval").click()
    expect(tab.locator("#step-approval")).to_contain_text("no approver has decided yet")
    # the author sees the button, and why it is not the author's
    expect(tab.get_by_role("button", name="Approve", exact=True)).to_be_disabled()
    check(tab)
    tab.goto(web.origin + page("go", campaign))
    expect(tab.locator(".go-button")).to_be_disabled()
    switch(tab, web, ada, "/admin/")
    tab.locator("#needs-me").get_by_role("link", name="Spring sale").click()
    tab.get_by_role("button", name="Approve", exact=True).click()
    expect(tab.locator("#step-approval")).to_contain_text("Approved by ada.")
    check(tab)
    switch(tab, web, site.people.ben, page("go", campaign))
    check(tab)
    tab.locator("#typed").fill("4")
    tab.locator(".go-button").click()
    expect(tab.locator(".countdown")).to_be_visible()
    tab.get_by_role("button", name="Take it back").click()
    expect(tab.get_by_text("Taken back: nothing has left.")).to_be_visible()
    tab.goto(f"{web.origin}/admin/")
    check(tab)


def test_go_happens_once_and_only_for_what_the_page_showed(tab: Page, web: Web, site: Site) -> None:
    ours = armed(site.draft())
    log_in(tab, web, site.people.ben)
    stale, second = tab.context.new_page(), tab.context.new_page()
    for one in (stale, second):
        one.goto(web.origin + page("go", ours))
    campaigns.update(ours, {"rate_per_s": 1000.0})
    stale.locator(".go-button").click()
    expect(stale.get_by_text("was changed or armed again since you looked")).to_be_visible()
    for one in (tab, second):
        one.goto(web.origin + page("go", ours))
    tab.locator(".go-button").dblclick()
    expect(tab.get_by_text("It is on its way")).to_be_visible()
    second.locator(".go-button").click()
    expect(second.get_by_text("It was launched already")).to_be_visible()
    tab.go_back()
    if tab.locator(".go-button").count():  # the browser kept the page
        tab.locator(".go-button").click(force=True)
    tab.goto(web.origin + page("go", ours))
    expect(tab.get_by_text("It was launched at")).to_be_visible()
    assert AuditLog.objects.filter(action="campaign.go").count() == 1
    # a page of a running campaign asks on; the last one asks nothing
    for one in (stale, second):
        one.close()
    tab.goto(f"{web.origin}/admin/")
    check(tab)


def test_unsaved_changes_are_warned_of(tab: Page, web: Web, site: Site) -> None:
    log_in(tab, web, site.people.ben)
    tab.goto(web.origin + page("change", site.draft()))
    tab.locator("#id_name").press_sequentially("x")
    with tab.expect_event("dialog") as asked:
        tab.evaluate("() => setTimeout(() => location.assign('/admin/'))")
    assert asked.value.type == "beforeunload"
    asked.value.dismiss()
