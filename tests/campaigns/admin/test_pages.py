"""The campaign road by hand, in the admin, as the web role."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from campaigns import arming
from campaigns.models import Audience, AudienceMember, Campaign
from inbox.models import InboxMessage
from tenants.models import AuditLog, Preference, Recipient, User
from tests.campaigns.conftest import Browser, Site, armed, page, sent, text

Browse = Callable[[User], Browser]
ADD = "/admin/campaigns/campaign/add/"


def form(site: Site, **fields: Any) -> dict[str, Any]:
    given = {"tenant": site.acme.pk, "name": "Spring", "template": site.template.pk, "data": '{"what": "Spring"}'}
    return {**given, "mode": "live", "audience": site.everybody.pk, **fields}


def test_a_campaign_is_created_with_the_channels_that_were_ticked(site: Site, browser: Browse) -> None:
    answer = browser(site.people.ben).post(ADD, **form(site, channels=["in_app"]))
    campaign = Campaign.objects.get()
    assert "Saved as a draft" in text(answer)
    assert answer.redirect_chain == [(page("change", campaign), 302)]
    assert (campaign.channels, campaign.data, campaign.created_by) == (["in_app"], {"what": "Spring"}, site.people.ben)
    assert "reaches 4 people now" in text(answer)


def test_no_channel_ticked_means_all_that_the_template_has(site: Site, browser: Browse) -> None:
    browser(site.people.ben).post(ADD, **form(site))
    assert Campaign.objects.get().channels == ["push", "in_app"]


def test_a_list_uploaded_with_the_campaign_becomes_its_audience(site: Site, browser: Browse) -> None:
    csv = SimpleUploadedFile("list.csv", b"external_id\nada\nada\nbob\nnobody\n")
    answer = browser(site.people.ben).post(ADD, **form(site, audience="", upload=csv))
    campaign = Campaign.objects.get()
    assert campaign.audience is not None and campaign.audience.source == Audience.Source.LIST
    assert AudienceMember.objects.filter(audience=campaign.audience).count() == 3
    assert "3 external ids stored of 4 rows: 1 repeated" in text(answer)


@pytest.mark.parametrize(
    ("fields", "expected_text"),
    [
        ({"data": "[1]"}, "Must be an object"),
        ({"data": '{"what": NaN}'}, "finite number"),
        ({"data": '{"what": "\\u0000"}'}, "U+0000"),
        ({"data": "{"}, "valid JSON"),
        ({"name": ""}, "required"),
        ({"channels": ["fax"]}, "not one of the available choices"),
        ({"not_after_0": "2001-01-01", "not_after_1": "00:00"}, "past"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_stored(
    site: Site, browser: Browse, fields: dict[str, Any], expected_text: str
) -> None:
    answer = browser(site.people.ben).post(ADD, **form(site, **fields))
    assert expected_text in text(answer)
    assert not Campaign.objects.exists()


def test_a_file_that_is_no_list_changes_nothing(site: Site, browser: Browse) -> None:
    upload = SimpleUploadedFile("list.xlsx", b"PK\x03\x04 something")
    answer = browser(site.people.ben).post(ADD, **form(site, audience="", upload=upload))
    assert "ZIP file or an Excel workbook" in text(answer)
    assert not Campaign.objects.exists() and Audience.objects.count() == 1


def test_arming_begins_by_a_button_and_its_progress_can_be_asked(site: Site, browser: Browse) -> None:
    ben, campaign = browser(site.people.ben), site.draft()
    answer = ben.post(page("arm", campaign), page("change", campaign))
    assert "Arming: the audience is frozen" in text(answer)
    progress = ben.get(page("progress", campaign)).json()
    assert (progress["state"], progress["processed"]) == ("arming", 0)


def test_arming_without_an_audience_says_so(site: Site, browser: Browse) -> None:
    campaign = site.draft(audience=None)
    answer = browser(site.people.ben).post(page("arm", campaign), page("change", campaign))
    assert "Choose an audience first" in text(answer)


def test_an_armed_campaign_shows_what_will_leave_and_a_sample(site: Site, browser: Browse) -> None:
    campaign = armed(site.draft())
    shown = text(browser(site.people.ben).get(page("change", campaign)))
    for fact in ("4 people in the audience", "4 messages ready", "Spring is here", "nobody is reached"):
        assert fact in shown
    # the sample's person has the smallest id; ids of one millisecond are in no order
    names = Recipient.objects.filter(tenant=campaign.tenant).values_list("name", flat=True)
    assert any(f"Hello {name}" in shown for name in names)


def test_people_who_get_nothing_and_messages_left_out_are_two_figures(site: Site, browser: Browse) -> None:
    ada = Recipient.objects.get(tenant=site.acme, external_id="ada")
    Preference.objects.create(tenant=site.acme, recipient=ada, channels_off=["push", "in_app"])
    campaign = armed(site.draft(channels=["push", "in_app"]))
    shown = text(browser(site.people.ben).get(page("change", campaign)))
    for fact in ("4 people in the audience", "1 of them gets nothing", "Messages left out", "channel off 2"):
        assert fact in shown


def test_an_arming_that_reaches_no_recipient_says_why_in_words(site: Site, browser: Browse) -> None:
    for recipient in Recipient.objects.filter(tenant=site.acme):
        Preference.objects.create(tenant=site.acme, recipient=recipient, channels_off=["in_app"])
    campaign = site.draft(channels=["in_app"])
    arming.request_arm(campaign)
    arming.arm(campaign.pk)
    shown = text(browser(site.people.ben).get(page("change", campaign)))
    assert "Nobody can be reached: 4 channel off" in shown
    assert "{" not in shown.split("Nobody can be reached", 1)[1][:60]


def test_go_asks_once_more_and_then_launches_once(site: Site, browser: Browse) -> None:
    ben, campaign = browser(site.people.ben), armed(site.draft())
    assert "GO: send 4 messages now" in text(ben.get(page("go", campaign)))
    first = ben.post(page("go", campaign), revision=campaign.revision)
    assert "It is on its way" in text(first) and "Running" in text(first)
    again = ben.post(page("go", campaign), page("change", campaign), revision=campaign.revision)
    assert "launched already" in text(again) and "changed nothing" in text(again)
    assert AuditLog.objects.filter(action="campaign.go").count() == 1


def test_go_needs_the_token_of_its_form(site: Site, browser: Browse) -> None:
    campaign = armed(site.draft())
    assert browser(site.people.ben).post_without_token(page("go", campaign)).status_code == 403
    campaign.refresh_from_db()
    assert campaign.state == Campaign.State.ARMED


def test_go_for_something_else_than_was_shown_is_refused(site: Site, browser: Browse) -> None:
    campaign = armed(site.draft())
    answer = browser(site.people.ben).post(page("go", campaign), revision=campaign.revision - 1)
    assert "changed or armed again since you looked" in text(answer)
    campaign.refresh_from_db()
    assert campaign.state == Campaign.State.ARMED


def test_go_on_a_draft_says_what_comes_first(site: Site, browser: Browse) -> None:
    ben, campaign = browser(site.people.ben), site.draft()
    assert ben.get(page("go", campaign)).status_code == 302
    answer = ben.post(page("go", campaign), page("change", campaign), revision=0)
    assert "needs an armed campaign" in text(answer)


def test_an_edit_of_an_armed_campaign_makes_it_a_draft_again(site: Site, browser: Browse) -> None:
    campaign = armed(site.draft())
    changed = form(site, data='{"what": "Summer"}', channels=["in_app"])
    answer = browser(site.people.ben).post(page("change", campaign), **changed)
    campaign.refresh_from_db()
    assert (campaign.state, campaign.data) == (Campaign.State.DRAFT, {"what": "Summer"})
    assert "draft again" in text(answer)


def test_a_new_name_leaves_it_armed_and_saving_says_so(site: Site, browser: Browse) -> None:
    campaign = armed(site.draft())
    answer = browser(site.people.ben).post(page("change", campaign), **form(site, name="May", channels=["in_app"]))
    campaign.refresh_from_db()
    assert (campaign.state, campaign.name) == (Campaign.State.ARMED, "May")
    assert "still armed" in text(answer)


def test_saving_an_armed_campaign_unchanged_leaves_it_armed(site: Site, browser: Browse) -> None:
    campaign = armed(site.draft())
    browser(site.people.ben).post(page("change", campaign), **form(site, channels=["in_app"]))
    campaign.refresh_from_db()
    assert campaign.state == Campaign.State.ARMED


def test_a_launched_campaign_has_no_form(site: Site, browser: Browse) -> None:
    campaign = sent(armed(site.draft()))
    ben = browser(site.people.ben)
    assert b'name="_save"' not in ben.get(page("change", campaign)).content
    assert ben.post(page("change", campaign), **form(site, name="Later")).status_code == 403


def test_the_report_counts_by_status_in_words_of_a_marketer(site: Site, browser: Browse) -> None:
    campaign = sent(armed(site.draft()))
    assert InboxMessage.objects.count() == 4
    shown = text(browser(site.people.ana).get(page("change", campaign)))
    for fact in ("Finished", "4 sent", "delivered", "Sent a second since GO"):
        assert fact in shown
    assert "bulk@one" not in shown


def test_stop_asks_once_more_and_is_harmless_twice(site: Site, browser: Browse) -> None:
    ben, campaign = browser(site.people.ben), armed(site.draft())
    ben.post(page("go", campaign), revision=campaign.revision)
    assert "4 would not leave" in text(ben.get(page("stop", campaign)))
    assert "Stopped" in text(ben.post(page("stop", campaign)))
    assert "stopped already" in text(ben.post(page("stop", campaign)))
    campaign.refresh_from_db()
    assert campaign.state == Campaign.State.CANCELLED


def test_a_copy_is_a_draft_with_the_same_content(site: Site, browser: Browse) -> None:
    campaign = sent(armed(site.draft()))
    browser(site.people.ben).post(page("copy", campaign), page("change", campaign))
    twin = Campaign.objects.exclude(pk=campaign.pk).get()
    assert (twin.state, twin.template_id, twin.data) == ("draft", campaign.template_id, campaign.data)


@pytest.mark.parametrize("step", ["arm", "disarm", "copy", "go", "stop"])
def test_a_viewer_sees_every_step_and_takes_none(site: Site, browser: Browse, step: str) -> None:
    campaign = armed(site.draft())
    vic = browser(site.vic)
    assert "Armed" in text(vic.get(page("change", campaign)))
    answer = vic.post(page(step, campaign), ADD_FOR_TOKEN, revision=campaign.revision)
    assert answer.status_code == 403
    campaign.refresh_from_db()
    assert campaign.state == Campaign.State.ARMED and Campaign.objects.count() == 1


ADD_FOR_TOKEN = "/admin/password_change/"


@pytest.mark.parametrize("step", ["change", "progress", "go", "stop"])
def test_a_stranger_finds_no_campaign(site: Site, browser: Browse, step: str) -> None:
    answer = browser(site.people.cleo).get(page(step, armed(site.draft())))
    assert answer.status_code in (302, 404)
    assert b"Spring" not in answer.content


def test_a_stranger_presses_go_on_nothing(site: Site, browser: Browse) -> None:
    campaign = armed(site.draft())
    cleo = browser(site.people.cleo)
    assert cleo.post(page("go", campaign), ADD_FOR_TOKEN, revision=campaign.revision).status_code == 404
    campaign.refresh_from_db()
    assert campaign.state == Campaign.State.ARMED


def test_another_tenants_audience_cannot_be_chosen(site: Site, browser: Browse) -> None:
    other_audience = Audience.objects.create(tenant=site.people.globex, name="Theirs", source="everybody")
    answer = browser(site.people.ben).post(ADD, **form(site, audience=other_audience.pk))
    assert "not one of the available choices" in text(answer)


def test_the_report_leads_to_its_rows_in_the_ledger(site: Site, browser: Browse) -> None:
    campaign = sent(armed(site.draft()))
    sent(armed(site.draft(name="Other")))
    ben = browser(site.people.ben)
    link = f"/admin/notifier/delivery/?campaign_id={campaign.pk}"
    assert link.encode() in ben.get(page("change", campaign)).content
    assert "4 deliveries" in text(ben.get(link))


def test_the_lists_of_campaigns_audiences_and_shards_open(site: Site, browser: Browse) -> None:
    sent(armed(site.draft()))
    for name in ("campaign", "audience", "shard"):
        assert browser(site.people.ben).get(f"/admin/campaigns/{name}/").status_code == 200
