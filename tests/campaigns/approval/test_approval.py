"""Four eyes: who may approve, what an edit does to an approval, and that GO asks for it on every road."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from campaigns import approval, arming
from campaigns.approval.authors import authors_of
from campaigns.audit import Actor
from campaigns.edit import audiences, campaigns, corrections, uploads
from campaigns.lifecycle.launching import launch, planned
from campaigns.models import Audience, Campaign, CampaignApproval, ScheduleSlot
from campaigns.preflight import rehearse, test_send
from campaigns.schedules import edit as schedules
from campaigns.schedules import sweep as schedules_sweep
from notifier.delivery.content import templates
from notifier.errors import Conflict, InvalidInput, NotifierError
from tenants import audit
from tenants.api_keys import create_key
from tenants.models import Tenant, User
from tests.broker import Broker, broker
from tests.campaigns.conftest import CONTENT, Site, armed
from tests.campaigns.launched import audited_acts

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("broker")]
__all__ = ["Broker", "broker"]
NOW = datetime.now(UTC)


@contextmanager
def refused(code: str) -> Iterator[None]:
    with pytest.raises(NotifierError) as caught:
        yield
    assert caught.value.code == code


def ask_always(tenant: Tenant, **columns: object) -> None:
    Tenant.objects.filter(pk=tenant.pk).update(approval="always", **columns)


def written_by(user: User, site: Site) -> Campaign:
    """A campaign of this user, armed."""
    fields = {"name": "Spring", "template": "spring", "audience": site.everybody.pk, "data": {"what": "Spring"}}
    return armed(campaigns.create(site.acme, {**fields, "channels": ["in_app"]}, by=Actor(user)))


@pytest.fixture
def asked(site: Site) -> Campaign:
    """Ben wrote it, and asked for its approval."""
    ask_always(site.acme)
    campaign = written_by(site.people.ben, site)
    assert approval.request_approval(campaign, by=Actor(site.people.ben), note="For Friday")
    return campaign


def go(campaign: Campaign) -> bool:
    return launch.go(campaign.tenant_id, campaign.pk)


def test_go_waits_for_the_approval_of_a_second_person(site: Site, asked: Campaign) -> None:
    with refused("approval_missing"):
        go(asked)
    assert approval.approve(asked, by=Actor(site.people.ana), note="Fine")
    assert not approval.approve(asked, by=Actor(site.people.ana)), "a double click changes nothing"
    assert go(asked)
    assert audited_acts(asked)[-3:] == ["request_approval", "approve", "go"]


def test_the_author_and_the_one_who_asked_do_not_approve(site: Site, asked: Campaign) -> None:
    with refused("own_content"):
        approval.approve(asked, by=Actor(site.people.ben))
    assert CampaignApproval.objects.get().decision == "open"
    approval.withdraw(asked, by=Actor(site.people.ben))
    assert approval.request_approval(asked, by=Actor(site.people.ana))
    with refused("own_content"):
        approval.approve(asked, by=Actor(site.people.ana))


#: what Ana does to Ben's campaign, and whether that makes Ana an author
DEEDS: dict[str, tuple[Callable[[Site, Campaign], object], bool]] = {
    "changes the data": (lambda s, c: campaigns.update(c, {"data": {"what": "Fall"}}, by=Actor(s.people.ana)), True),
    "changes the name": (lambda s, c: campaigns.update(c, {"name": "Fall"}, by=Actor(s.people.ana)), False),
    "publishes the template": (lambda s, c: templates.publish(s.template, CONTENT, s.people.ana), True),
    "changes the audience": (lambda s, c: _filter_by_locale(s), True),
    "looks": (lambda s, c: None, False),
}


def _filter_by_locale(site: Site) -> None:
    audience = Audience.objects.get(name="English")
    audience.filter = [{"field": "locale", "op": "eq", "value": "en"}]
    audiences.save(audience, by=Actor(site.people.ana))


@pytest.mark.parametrize("deed", DEEDS)
def test_whoever_changed_what_recipients_get_is_an_author(site: Site, deed: str) -> None:
    english = Audience.objects.create(tenant=site.acme, name="English", source="segment", filter=[])
    campaign = written_by(site.people.ben, site)
    campaign = campaigns.update(campaign, {"audience": english.pk}, by=Actor(site.people.ben))
    act, is_author = DEEDS[deed]
    act(site, campaign)
    approval.request_approval(campaign, by=Actor(site.people.ben))
    if is_author:
        with refused("own_content"):
            approval.approve(campaign, by=Actor(site.people.ana))
    else:
        assert approval.approve(campaign, by=Actor(site.people.ana))


def test_a_copy_has_the_authors_of_its_original_and_no_approval(site: Site, asked: Campaign) -> None:
    copy = armed(campaigns.copy(asked, by=Actor(site.people.ana)))
    with refused("approval_missing"):
        go(copy)
    approval.request_approval(copy, by=Actor(site.people.ana))
    for author in (site.people.ben, site.people.ana):
        with refused("own_content"):
            approval.approve(copy, by=Actor(author))


def test_a_key_that_the_author_made_does_not_approve(site: Site, asked: Campaign) -> None:
    def key_made_by(user: User) -> Actor:
        key, _text = create_key(site.acme, user.username, "live", ["approvals"])
        audit.record(site.acme.pk, "apikey.added", key.pk, by=Actor(user))
        return Actor(api_key_id=key.pk)

    with refused("own_content"):
        approval.approve(asked, by=key_made_by(site.people.ben))
    assert approval.approve(asked, by=key_made_by(site.people.ana))


def test_a_correction_has_the_authors_of_what_it_corrects(site: Site, asked: Campaign) -> None:
    approval.approve(asked, by=Actor(site.people.ana))
    approval.withdraw(asked, by=Actor(site.people.ana))
    Campaign.objects.filter(pk=asked.pk).update(state="finished", launched_at=NOW, accounted_at=NOW)
    draft = corrections.correct(Campaign.objects.get(pk=asked.pk), by=Actor(site.people.ana))
    draft = campaigns.update(draft, {"audience": site.everybody.pk}, by=Actor())
    assert authors_of(draft).users == {site.people.ana.pk, site.people.ben.pk}


def test_whoever_filled_a_list_of_a_segment_is_an_author(site: Site) -> None:
    ask_always(site.acme)
    listed = audiences.create(site.acme, "VIPs", audiences.Definition("list"), by=Actor(site.people.ben))
    uploads.put_ids(listed, ["ada"], by=Actor(site.people.ana))
    named = [{"field": "list", "op": "eq", "value": str(listed.pk)}]
    segment = audiences.create(site.acme, "In it", audiences.Definition("segment", named), by=Actor(site.people.ben))
    campaign = campaigns.update(written_by(site.people.ben, site), {"audience": segment.pk})
    approval.request_approval(campaign, by=Actor(site.people.ben))
    with refused("own_content"):
        approval.approve(campaign, by=Actor(site.people.ana))


def test_an_edit_makes_an_approval_stale_and_its_editor_an_author(site: Site, asked: Campaign) -> None:
    ana, ben = Actor(site.people.ana), Actor(site.people.ben)
    approval.approve(asked, by=ana)
    campaign = armed(campaigns.update(asked, {"data": {"what": "Summer"}}, by=ana))
    with refused("approval_stale"):
        go(campaign)
    assert approval.clearance(campaign).changed == ("data",)
    # Ben wrote only what Ana has approved, and Ana wrote what is new
    approval.request_approval(campaign, by=ana)
    with refused("own_content"):
        approval.approve(campaign, by=ana)
    assert approval.approve(campaign, by=ben)
    assert go(campaign)


def test_an_edit_ends_a_request_that_is_not_decided(site: Site, asked: Campaign) -> None:
    seen = approval.content_hash(asked)
    campaigns.update(asked, {"data": {"what": "Summer"}}, by=Actor(site.people.ben))
    with refused("not_requested"):
        approval.approve(asked, by=Actor(site.people.ana), seen=seen)
    assert [row.decision for row in CampaignApproval.objects.all()] == ["superseded"]


def test_what_the_approver_did_not_see_is_not_approved(site: Site, asked: Campaign) -> None:
    with refused("approval_stale"):
        approval.approve(asked, by=Actor(site.people.ana), seen="0" * 64)
    # a list that is filled, or a version that is published, changes the content without an edit of the campaign
    Audience.objects.filter(pk=site.everybody.pk).update(list_version=7)
    with refused("approval_stale"):
        approval.approve(asked, by=Actor(site.people.ana))


def test_a_rejection_says_why_and_can_be_followed_by_a_new_request(site: Site, asked: Campaign) -> None:
    with pytest.raises(InvalidInput, match="Say why"):
        approval.reject(asked, by=Actor(site.people.ana))
    assert approval.reject(asked, by=Actor(site.people.ana), note="The price is wrong.")
    with pytest.raises(Conflict, match=r"The price is wrong\."):
        go(asked)
    with refused("not_requested"):
        approval.approve(asked, by=Actor(site.people.ana))
    assert approval.request_approval(asked, by=Actor(site.people.ben))
    assert not approval.request_approval(asked, by=Actor(site.people.ben)), "asked already"
    assert approval.approve(asked, by=Actor(site.people.ana))


def test_an_approval_can_be_taken_back_until_go(site: Site, asked: Campaign) -> None:
    approval.approve(asked, by=Actor(site.people.ana))
    assert approval.withdraw(asked, by=Actor(site.people.ana))
    assert not approval.withdraw(asked)
    with refused("approval_missing"):
        go(asked)
    approval.request_approval(asked, by=Actor(site.people.ben))
    approval.approve(asked, by=Actor(site.people.ana))
    go(asked)
    with refused("already_launched"):
        approval.withdraw(asked)


def test_small_campaigns_need_none_where_only_large_ones_do(site: Site) -> None:
    Tenant.objects.update(approval="above", approval_above=4)
    assert go(written_by(site.people.ben, site))
    Tenant.objects.update(approval_above=3)
    with refused("approval_missing"):
        go(written_by(site.people.ben, site))


def test_a_required_test_send_is_of_what_recipients_get(site: Site) -> None:
    Tenant.objects.update(require_test_copy=True)
    campaign = written_by(site.people.ben, site)
    with refused("test_copy_missing"):
        go(campaign)
    test_send.send(campaign, "ada", Actor(site.people.ben))
    # the campaign is armed again, with a version of which there was no test send
    templates.publish(site.template, CONTENT)
    arming.request_arm(campaign)
    campaign = armed(Campaign.objects.get(pk=campaign.pk))
    with refused("test_copy_missing"):
        go(campaign)
    test_send.send(campaign, "ada", Actor(site.people.ben))
    assert go(campaign)


# ---- every road to GO ----------------------------------------------------------------------------------------------


def test_a_planned_launch_is_refused_and_says_why(site: Site, asked: Campaign) -> None:
    soon = datetime.now(UTC) + timedelta(hours=1)
    planned.plan(asked.tenant_id, asked.pk, launch_at=soon)
    asked.refresh_from_db()
    assert "needs an approval" in planned.reason_to_refuse(asked)
    planned.launch_planned(soon)
    asked.refresh_from_db()
    assert asked.state == "armed" and "needs an approval" in asked.launch_failure
    approval.approve(asked, by=Actor(site.people.ana))
    later = soon + timedelta(hours=1)
    planned.plan(asked.tenant_id, asked.pk, launch_at=later)
    planned.launch_planned(later)
    asked.refresh_from_db()
    assert asked.launched_at is not None


def test_the_command_line_is_refused(asked: Campaign) -> None:
    with pytest.raises(CommandError, match="needs an approval"):
        call_command("campaign", str(asked.pk), "go", stdout=StringIO())


def test_a_silent_run_needs_none(site: Site, asked: Campaign) -> None:
    asked = campaigns.update(asked, {"channels": ["push"]})
    silent_run = rehearse.rehearse(asked, Actor(site.people.ben))
    armed(silent_run)
    assert go(silent_run)
    with refused("no_approval"):
        approval.request_approval(silent_run)


@pytest.mark.parametrize("approved", [True, False])
def test_the_slots_of_a_schedule_leave_by_the_approval_of_its_campaign(site: Site, approved: bool) -> None:
    ask_always(site.acme, require_test_copy=True)
    prototype = site.draft()
    test_send.send(prototype, "ada", Actor(site.people.ben))
    approval.request_approval(prototype, by=Actor(site.people.ben))
    if approved:
        approval.approve(prototype, by=Actor(site.people.ana))
    monday = datetime(2035, 1, 1, 8, tzinfo=UTC)
    times = {"rrule": "FREQ=DAILY;BYHOUR=9;BYMINUTE=0", "timezone": "UTC", "starts": "2035-01-01T00:00"}
    given = {"name": "Daily", "campaign": prototype.pk, "not_after_minutes": 60, **times}
    schedules.create(site.acme, given, now=monday)
    slot_at = monday + timedelta(hours=1)
    schedules_sweep.sweep(slot_at - timedelta(minutes=9))
    copy = armed(Campaign.objects.exclude(pk=prototype.pk).get())
    planned.launch_planned(slot_at)
    schedules_sweep.sweep(slot_at)
    slot, copy = ScheduleSlot.objects.get(), Campaign.objects.get(pk=copy.pk)
    if approved:
        assert (slot.state, copy.launch_failure) == ("done", "")
    else:
        assert slot.state == "failed" and "needs an approval" in slot.reason
