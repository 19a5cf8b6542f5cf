"""Approval and GO on a campaign's page: who may, and what ends well for the others. As the web role."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from campaigns import approval
from campaigns.audit import Actor
from campaigns.models import Campaign, CampaignApproval
from tenants.models import Member, Tenant, User
from tests.campaigns.admin.test_pages import ADD_FOR_TOKEN, Browse
from tests.campaigns.conftest import Browser, Site, armed, page, text

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(site: Site, browser: Browse) -> Browser:
    """An approver of ACME, in a browser."""
    user = User.objects.create_user("ada", "ada@example.com", "a long password", is_staff=True)
    Member.objects.create(tenant=site.acme, user=user, role=Member.Role.APPROVER)
    return browser(user)


@pytest.fixture
def ours(site: Site) -> Campaign:
    Tenant.objects.filter(pk=site.acme.pk).update(approval="always")
    site.acme.refresh_from_db()
    return armed(site.draft())


def test_an_author_asks_an_approver_approves_and_the_author_goes(
    site: Site, browser: Browse, ada: Browser, ours: Campaign
) -> None:
    ben = browser(site.people.ben)
    shown = text(ben.get(page("change", ours)))
    assert "Missing: an approval." in shown and "May approve it: ada, ana." in shown
    asked = ben.post(page("request_approval", ours), page("change", ours), note="For Friday")
    assert "The approvers see it" in text(asked)
    # the button of the author is there, disabled, with the reason beside it
    assert "Your role is: Author. This needs one of: Owner, Approver." in text(asked)
    assert ben.post(page("approve", ours), page("change", ours)).status_code == 403
    looked_at = ada.get(page("change", ours)).content.decode()
    assert "For Friday" in looked_at
    answer = ada.post(page("approve", ours), page("change", ours), seen=approval.content_hash(ours), note="Fine")
    assert "Approved by ada." in text(answer)
    assert "It was approved already" in text(ada.post(page("approve", ours), page("change", ours)))
    assert "It is on its way" in text(ben.post(page("go", ours), revision=ours.revision))


def test_an_author_with_the_role_of_an_owner_reads_why_not(site: Site, browser: Browse, ours: Campaign) -> None:
    approval.request_approval(ours, by=Actor(site.people.ana))
    answer = browser(site.people.ana).post(page("approve", ours), page("change", ours))
    assert "You asked for this approval. Another approver must decide." in text(answer)
    assert CampaignApproval.objects.get().decision == "open"


def test_an_approver_launches_nothing_and_reads_why(ada: Browser, ours: Campaign) -> None:
    assert "Your role is: Approver. This needs one of: Owner, Author, Operator." in text(ada.get(page("change", ours)))
    assert ada.post(page("go", ours), ADD_FOR_TOKEN, revision=ours.revision).status_code == 403


def test_go_without_the_approval_is_refused_on_the_page_and_by_the_server(
    site: Site, browser: Browse, ours: Campaign
) -> None:
    ben = browser(site.people.ben)
    shown = ben.get(page("go", ours))
    assert "GO needs the approval of a second person" in text(shown) and b"go-button" in shown.content
    assert "GO needs the approval of a second person" in text(ben.post(page("go", ours), revision=ours.revision))
    ours.refresh_from_db()
    assert ours.state == Campaign.State.ARMED


def test_a_rejection_shows_its_reason(site: Site, browser: Browse, ada: Browser, ours: Campaign) -> None:
    approval.request_approval(ours, by=Actor(site.people.ben))
    assert "Say why" in text(ada.post(page("reject", ours), page("change", ours)))
    ada.post(page("reject", ours), page("change", ours), note="The price is wrong.")
    assert "Rejected: The price is wrong." in text(browser(site.people.ben).get(page("change", ours)))


@pytest.mark.parametrize(("typed", "goes"), [("", False), ("5", False), ("4", True), (" 4 ", True), ("4,", True)])
def test_above_the_size_of_the_tenant_the_number_is_typed(site: Site, browser: Browse, typed: str, goes: bool) -> None:
    Tenant.objects.filter(pk=site.acme.pk).update(confirm_above=3)
    ours, ben = armed(site.draft()), browser(site.people.ben)
    assert "Type how many people get this (4)" in text(ben.get(page("go", ours)))
    answer = ben.post(page("go", ours), revision=ours.revision, typed=typed)
    assert ("It is on its way" in text(answer)) is goes
    ours.refresh_from_db()
    assert (ours.launched_at is not None) is goes


def test_a_planned_launch_wants_the_number_too(site: Site, browser: Browse) -> None:
    Tenant.objects.filter(pk=site.acme.pk).update(confirm_above=3)
    ours, ben = armed(site.draft()), browser(site.people.ben)
    tomorrow = f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%dT%H:%M}"
    at = {"launch_at": tomorrow, "rollout": "all", "revision": ours.revision}
    for typed, planned in (("5", False), ("4", True)):
        ben.post(page("plan", ours), page("go", ours), typed=typed, **at)
        ours.refresh_from_db()
        assert (ours.launch_at is not None) is planned


def test_a_page_of_go_from_before_a_change_of_the_limits_launches_nothing(site: Site, browser: Browse) -> None:
    ours = armed(site.draft())
    seen = approval.content_hash(ours)
    Campaign.objects.filter(pk=ours.pk).update(rate_per_s=1)
    answer = browser(site.people.ben).post(page("go", ours), revision=ours.revision, seen=seen)
    assert "changed or armed again since you looked" in text(answer)


def test_go_says_what_happens_in_one_sentence(site: Site, browser: Browse) -> None:
    shown = text(browser(site.people.ben).get(page("go", armed(site.draft()))))
    assert (
        "4 people get this by inbox (4) through Notifier, within a moment from GO, and no account states a price."
        in shown
    )


def test_the_limits_of_a_running_campaign_are_changed_in_the_admin(site: Site, browser: Browse) -> None:
    ours, ben = armed(site.draft()), browser(site.people.ben)
    ben.post(page("go", ours), revision=ours.revision)
    changed = ben.post(page("limits", ours), page("change", ours), rate_per_s="50", max_error_percent="7")
    assert "50 messages a second" in text(changed)
    ours.refresh_from_db()
    assert (ours.rate_per_s, ours.max_error_percent, ours.max_dead_percent) == (50, 7, 50)
    assert "Must be a number" in text(ben.post(page("limits", ours), page("change", ours), rate_per_s="fast"))
    assert "whole number" in text(
        ben.post(page("limits", ours), page("change", ours), rate_per_s="", max_error_percent="7.5")
    )
    assert browser(site.vic).post(page("limits", ours), ADD_FOR_TOKEN, rate_per_s="1").status_code == 403


def test_the_form_shows_the_template_as_a_recipient_gets_it(site: Site, browser: Browse) -> None:
    ben, look = browser(site.people.ben), "/admin/campaigns/campaign/look/"
    given = {"template": site.template.pk, "audience": site.everybody.pk, "data": '{"what": "Fall"}'}
    seen = ben.post(look, "/admin/campaigns/campaign/add/", **given).json()
    assert (seen["variables"], seen["channels"], seen["people"]) == (["what"], ["push", "in_app"], 4)
    assert "Fall is here" in seen["preview"]
    broken = ben.post(look, "/admin/campaigns/campaign/add/", **{**given, "data": "{"}).json()
    assert broken["error"] == "The data is no valid JSON."
    cleo = browser(site.people.cleo).post(look, "/admin/campaigns/campaign/add/", **given).json()
    assert (cleo["channels"], cleo["people"], cleo["preview"]) == ([], None, "")


def test_the_list_says_what_comes_next(site: Site, browser: Browse, ours: Campaign) -> None:
    approval.request_approval(ours, by=Actor(site.people.ben))
    site.draft(name="Fall", audience=None)
    shown = text(browser(site.people.ben).get("/admin/campaigns/campaign/"))
    assert "Approve it" in shown and "Choose an audience" in shown
    assert "Write the first campaign" in text(browser(site.people.cleo).get("/admin/campaigns/campaign/"))
