"""The campaign road by hand, in the admin, as the web role."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from campaigns import control, prepare, rehearse
from campaigns.models import Audience, AudienceMember, Campaign, Shard
from campaigns.steps import By
from inbox.models import InboxMessage
from notifier.models import Notification
from tenants.models import AuditLog, Preference, Recipient, User
from tests.campaigns.conftest import Browser, World, armed, page, sent, text

Browse = Callable[[User], Browser]
ADD = "/admin/campaigns/campaign/add/"


def form(world: World, **fields: Any) -> dict[str, Any]:
    given = {"tenant": world.acme.pk, "name": "Spring", "template": world.template.pk, "data": '{"what": "Spring"}'}
    return {**given, "mode": "live", "audience": world.everybody.pk, **fields}


def test_a_campaign_is_created_with_the_channels_that_were_ticked(world: World, browser: Browse) -> None:
    answer = browser(world.people.ben).post(ADD, **form(world, channels=["in_app"]))
    campaign = Campaign.objects.get()
    assert "Saved as a draft" in text(answer)
    assert answer.redirect_chain == [(page("change", campaign), 302)]
    assert (campaign.channels, campaign.data, campaign.created_by) == (["in_app"], {"what": "Spring"}, world.people.ben)
    assert "reaches 4 people now" in text(answer)


def test_no_channel_ticked_means_all_that_the_template_has(world: World, browser: Browse) -> None:
    browser(world.people.ben).post(ADD, **form(world))
    assert Campaign.objects.get().channels == ["push", "in_app"]


def test_a_list_uploaded_with_the_campaign_becomes_its_audience(world: World, browser: Browse) -> None:
    csv = SimpleUploadedFile("list.csv", b"external_id\nada\nada\nbob\nnobody\n")
    answer = browser(world.people.ben).post(ADD, **form(world, audience="", upload=csv))
    campaign = Campaign.objects.get()
    assert campaign.audience is not None and campaign.audience.source == Audience.Source.LIST
    assert AudienceMember.objects.filter(audience=campaign.audience).count() == 3
    assert "3 external ids stored of 4 rows: 1 repeated" in text(answer)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"data": "[1]"}, "Must be an object"),
        ({"data": '{"what": NaN}'}, "finite number"),
        ({"data": '{"what": "\\u0000"}'}, "NUL"),
        ({"data": "{"}, "valid JSON"),
        ({"name": ""}, "required"),
        ({"channels": ["fax"]}, "not one of the available choices"),
        ({"not_after_0": "2001-01-01", "not_after_1": "00:00"}, "past"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_stored(
    world: World, browser: Browse, fields: dict[str, Any], said: str
) -> None:
    answer = browser(world.people.ben).post(ADD, **form(world, **fields))
    assert said in text(answer)
    assert not Campaign.objects.exists()


def test_a_file_that_is_no_list_changes_nothing(world: World, browser: Browse) -> None:
    upload = SimpleUploadedFile("list.xlsx", b"PK\x03\x04 something")
    answer = browser(world.people.ben).post(ADD, **form(world, audience="", upload=upload))
    assert "ZIP file or an Excel workbook" in text(answer)
    assert not Campaign.objects.exists() and Audience.objects.count() == 1


def test_arming_begins_by_a_button_and_its_progress_can_be_asked(world: World, browser: Browse) -> None:
    ben, campaign = browser(world.people.ben), world.draft()
    answer = ben.post(page("arm", campaign), page("change", campaign))
    assert "Arming: the audience is frozen" in text(answer)
    found = ben.get(page("progress", campaign)).json()
    assert (found["state"], found["prepared"]) == ("arming", 0)


def test_arming_without_an_audience_says_so(world: World, browser: Browse) -> None:
    campaign = world.draft(audience=None)
    answer = browser(world.people.ben).post(page("arm", campaign), page("change", campaign))
    assert "Choose an audience first" in text(answer)


def test_an_armed_campaign_shows_what_will_leave_and_a_sample(world: World, browser: Browse) -> None:
    campaign = armed(world.draft())
    shown = text(browser(world.people.ben).get(page("change", campaign)))
    for fact in ("4 people in the audience", "4 messages ready", "Spring is here", "nobody is reached"):
        assert fact in shown
    # the sample's person has the smallest id; ids of one millisecond are in no order
    names = Recipient.objects.filter(tenant=campaign.tenant).values_list("name", flat=True)
    assert any(f"Hello {name}" in shown for name in names)


def test_people_who_get_nothing_and_messages_left_out_are_two_figures(world: World, browser: Browse) -> None:
    ada = Recipient.objects.get(tenant=world.acme, external_id="ada")
    Preference.objects.create(tenant=world.acme, recipient=ada, channels_off=["push", "in_app"])
    campaign = armed(world.draft(channels=["push", "in_app"]))
    shown = text(browser(world.people.ben).get(page("change", campaign)))
    for fact in ("4 people in the audience", "1 of them gets nothing", "Messages left out", "channel off 2"):
        assert fact in shown


def test_an_arming_that_reaches_nobody_says_why_in_words(world: World, browser: Browse) -> None:
    for recipient in Recipient.objects.filter(tenant=world.acme):
        Preference.objects.create(tenant=world.acme, recipient=recipient, channels_off=["in_app"])
    campaign = world.draft(channels=["in_app"])
    prepare.request_arm(campaign)
    prepare.arm(campaign.pk)
    shown = text(browser(world.people.ben).get(page("change", campaign)))
    assert "Nobody can be reached: 4 channel off" in shown
    assert "{" not in shown.split("Nobody can be reached", 1)[1][:60]


def test_go_asks_once_more_and_then_launches_once(world: World, browser: Browse) -> None:
    ben, campaign = browser(world.people.ben), armed(world.draft())
    assert "GO: send 4 messages now" in text(ben.get(page("go", campaign)))
    first = ben.post(page("go", campaign), revision=campaign.revision)
    assert "It is on its way" in text(first) and "Running" in text(first)
    again = ben.post(page("go", campaign), page("change", campaign), revision=campaign.revision)
    assert "launched already" in text(again) and "changed nothing" in text(again)
    assert AuditLog.objects.filter(action="campaign.go").count() == 1


def test_go_needs_the_token_of_its_form(world: World, browser: Browse) -> None:
    campaign = armed(world.draft())
    assert browser(world.people.ben).post_without_token(page("go", campaign)).status_code == 403
    campaign.refresh_from_db()
    assert campaign.state == Campaign.State.ARMED


def test_go_for_something_else_than_was_shown_is_refused(world: World, browser: Browse) -> None:
    campaign = armed(world.draft())
    answer = browser(world.people.ben).post(page("go", campaign), revision=campaign.revision - 1)
    assert "changed or armed again since you looked" in text(answer)
    campaign.refresh_from_db()
    assert campaign.state == Campaign.State.ARMED


def test_go_on_a_draft_says_what_comes_first(world: World, browser: Browse) -> None:
    ben, campaign = browser(world.people.ben), world.draft()
    assert ben.get(page("go", campaign)).status_code == 302
    answer = ben.post(page("go", campaign), page("change", campaign), revision=0)
    assert "needs an armed campaign" in text(answer)


def test_an_edit_of_an_armed_campaign_makes_it_a_draft_again(world: World, browser: Browse) -> None:
    campaign = armed(world.draft())
    changed = form(world, data='{"what": "Summer"}', channels=["in_app"])
    answer = browser(world.people.ben).post(page("change", campaign), **changed)
    campaign.refresh_from_db()
    assert (campaign.state, campaign.data) == (Campaign.State.DRAFT, {"what": "Summer"})
    assert "draft again" in text(answer)


def test_a_new_name_leaves_it_armed_and_saving_says_so(world: World, browser: Browse) -> None:
    campaign = armed(world.draft())
    answer = browser(world.people.ben).post(page("change", campaign), **form(world, name="May", channels=["in_app"]))
    campaign.refresh_from_db()
    assert (campaign.state, campaign.name) == (Campaign.State.ARMED, "May")
    assert "still armed" in text(answer)


def test_saving_an_armed_campaign_unchanged_leaves_it_armed(world: World, browser: Browse) -> None:
    campaign = armed(world.draft())
    browser(world.people.ben).post(page("change", campaign), **form(world, channels=["in_app"]))
    campaign.refresh_from_db()
    assert campaign.state == Campaign.State.ARMED


def test_a_launched_campaign_has_no_form(world: World, browser: Browse) -> None:
    campaign = sent(armed(world.draft()))
    ben = browser(world.people.ben)
    assert b'name="_save"' not in ben.get(page("change", campaign)).content
    assert ben.post(page("change", campaign), **form(world, name="Later")).status_code == 403


def test_the_report_counts_by_status_and_names_the_worker(world: World, browser: Browse) -> None:
    campaign = sent(armed(world.draft()))
    assert InboxMessage.objects.count() == 4
    shown = text(browser(world.people.ana).get(page("change", campaign)))
    for fact in ("Finished", "4 sent", "delivered", "bulk@one", "Messages per second since GO"):
        assert fact in shown


def test_stop_asks_once_more_and_is_harmless_twice(world: World, browser: Browse) -> None:
    ben, campaign = browser(world.people.ben), armed(world.draft())
    ben.post(page("go", campaign), revision=campaign.revision)
    assert "4 would not leave" in text(ben.get(page("stop", campaign)))
    assert "Stopped" in text(ben.post(page("stop", campaign)))
    assert "stopped already" in text(ben.post(page("stop", campaign)))
    campaign.refresh_from_db()
    assert campaign.state == Campaign.State.CANCELLED


def test_a_copy_is_a_draft_with_the_same_content(world: World, browser: Browse) -> None:
    campaign = sent(armed(world.draft()))
    browser(world.people.ben).post(page("copy", campaign), page("change", campaign))
    twin = Campaign.objects.exclude(pk=campaign.pk).get()
    assert (twin.state, twin.template_id, twin.data) == ("draft", campaign.template_id, campaign.data)


@pytest.mark.parametrize("step", ["arm", "disarm", "copy", "go", "stop"])
def test_a_viewer_sees_every_step_and_takes_none(world: World, browser: Browse, step: str) -> None:
    campaign = armed(world.draft())
    vic = browser(world.vic)
    assert "Armed" in text(vic.get(page("change", campaign)))
    answer = vic.post(page(step, campaign), ADD_FOR_TOKEN, revision=campaign.revision)
    assert answer.status_code == 403
    campaign.refresh_from_db()
    assert campaign.state == Campaign.State.ARMED and Campaign.objects.count() == 1


ADD_FOR_TOKEN = "/admin/password_change/"


@pytest.mark.parametrize("step", ["change", "progress", "go", "stop"])
def test_a_stranger_finds_no_campaign(world: World, browser: Browse, step: str) -> None:
    answer = browser(world.people.cleo).get(page(step, armed(world.draft())))
    assert answer.status_code in (302, 404)
    assert b"Spring" not in answer.content


def test_a_stranger_presses_go_on_nothing(world: World, browser: Browse) -> None:
    campaign = armed(world.draft())
    cleo = browser(world.people.cleo)
    assert cleo.post(page("go", campaign), ADD_FOR_TOKEN, revision=campaign.revision).status_code == 404
    campaign.refresh_from_db()
    assert campaign.state == Campaign.State.ARMED


def test_another_tenants_audience_cannot_be_chosen(world: World, browser: Browse) -> None:
    theirs = Audience.objects.create(tenant=world.people.globex, name="Theirs", source="everybody")
    answer = browser(world.people.ben).post(ADD, **form(world, audience=theirs.pk))
    assert "not one of the available choices" in text(answer)


def test_an_audience_shows_how_many_and_who(world: World, browser: Browse) -> None:
    shown = text(browser(world.people.ben).get(reverse("admin:campaigns_audience_change", args=[world.everybody.pk])))
    assert "4 people now" in shown and "ada" in shown and "zoe" not in shown


def test_a_wrong_filter_is_explained_in_the_form(world: World, browser: Browse) -> None:
    fields = {"tenant": world.acme.pk, "name": "X", "source": "segment"}
    wrong = '[{"field": "email", "op": "like", "value": "x"}]'
    answer = browser(world.people.ben).post("/admin/campaigns/audience/add/", **fields, filter=wrong)
    assert "filter.0.op: email can be compared with" in text(answer)


CONDITION = '[{"field": "name", "op": "eq", "value": "Ada"}]'
IDS = b"external_id\nada\nbob\n"
ONE_CHOICE = 'the source is "{}", which would ignore it'


@pytest.mark.parametrize(
    ("source", "filter_", "file", "said"),
    [
        ("segment", CONDITION, b"", ""),
        ("segment", CONDITION, IDS, ONE_CHOICE),
        ("segment", "", IDS, ONE_CHOICE),
        ("segment", "[]", IDS, ONE_CHOICE),
        ("segment", "", b"", 'choose the source "everybody"'),
        ("segment", "[]", b"", 'choose the source "everybody"'),
        ("segment", "{}", b"", "must be a list of conditions"),
        ("segment", "nonsense", IDS, "Enter a valid JSON"),
        ("list", "", IDS, ""),
        ("list", "[]", IDS, ""),
        ("list", CONDITION, IDS, ONE_CHOICE),
        ("list", CONDITION, b"", ONE_CHOICE),
        ("list", "", b"", "A list needs its file"),
        ("list", "", b"external_id\n", "names no usable external id"),
        ("list", "", b"email\nada@example.com\n", "only column is email"),
        ("everybody", "", b"", ""),
        ("everybody", "[]", b"", ""),
        ("everybody", CONDITION, b"", ONE_CHOICE),
        ("everybody", "", IDS, ONE_CHOICE),
        ("everybody", CONDITION, IDS, ONE_CHOICE),
        ("", "", IDS, "required"),
        ("", CONDITION, b"", "required"),
    ],
)
def test_who_an_audience_is_must_be_said_once(
    world: World, browser: Browse, source: str, filter_: str, file: bytes, said: str
) -> None:
    fields: dict[str, Any] = {"tenant": world.acme.pk, "name": "X", "source": source, "filter": filter_}
    if file:
        fields["upload"] = SimpleUploadedFile("list.csv", file)
    answer = browser(world.people.ben).post("/admin/campaigns/audience/add/", **fields)
    made = Audience.objects.filter(name="X").first()
    if said:
        assert said.format(source) in html.unescape(text(answer))
        assert made is None and not AudienceMember.objects.exists()
    else:
        assert made is not None and made.source == source
        assert AudienceMember.objects.count() == (2 if file else 0)


def test_a_segment_cannot_be_edited_into_everybody(world: World, browser: Browse) -> None:
    condition = [{"field": "name", "op": "eq", "value": "Ada"}]
    mine = Audience.objects.create(tenant=world.acme, name="Ada", source="segment", filter=condition)
    change = reverse("admin:campaigns_audience_change", args=[mine.pk])
    for empty in ("", "[]"):
        answer = browser(world.people.ben).post(change, name="Ada", filter=empty)
        assert "needs at least one condition" in text(answer)
    mine.refresh_from_db()
    assert mine.filter == condition


def test_everybody_and_a_list_are_renamed_without_a_filter(world: World, browser: Browse) -> None:
    mine = Audience.objects.create(tenant=world.acme, name="List", source="list")
    for audience in (world.everybody, mine):
        change = reverse("admin:campaigns_audience_change", args=[audience.pk])
        browser(world.people.ben).post(change, name=f"New {audience.source}")
        audience.refresh_from_db()
        assert audience.name == f"New {audience.source}"


def test_an_audience_and_a_file_for_one_campaign_are_refused(world: World, browser: Browse) -> None:
    csv = SimpleUploadedFile("list.csv", IDS)
    answer = text(browser(world.people.ben).post(ADD, **form(world, upload=csv)))
    assert "Both an audience (“Everybody”) and a file (“upload”) were given" in answer
    assert not Campaign.objects.exists() and Audience.objects.count() == 1
    draft = world.draft()
    csv = SimpleUploadedFile("list.csv", IDS)
    answer = text(browser(world.people.ben).post(page("change", draft), **form(world, upload=csv)))
    assert "Both an audience" in answer
    draft.refresh_from_db()
    assert draft.audience == world.everybody


@pytest.mark.parametrize(
    ("file", "level", "said"),
    [
        (b"external_id\nada\nbob\n", "success", "All 2 are recipients"),
        (b"external_id\nada\nnobody\n", "warning", "1 are recipients, 1 are not: nobody"),
        (b"ada@example.com\nbob@example.com\n", "error", "None of them is a recipient"),
        (b"external_id,x\nada,1\n,2\n", "warning", "1 unusable"),
    ],
)
def test_a_list_is_green_only_when_everybody_in_it_is_known(
    world: World, browser: Browse, file: bytes, level: str, said: str
) -> None:
    answer = browser(world.people.ben).post(
        ADD, **form(world, audience="", upload=SimpleUploadedFile("list.csv", file))
    )
    shown = re.findall(r'(?s)<li class="(\w+)">(.*?)</li>', answer.content.decode())
    assert [kind for kind, message in shown if said in message] == [level]


def test_replacing_a_list_returns_what_was_armed_with_it_to_draft(world: World, browser: Browse) -> None:
    mine = Audience.objects.create(tenant=world.acme, name="List", source="list")
    AudienceMember.objects.create(tenant=world.acme, audience=mine, external_id="ada")
    campaign = armed(world.draft(audience=mine))
    upload = reverse("admin:campaigns_audience_upload", args=[mine.pk])
    csv = SimpleUploadedFile("list.csv", b"bob\ncy\n")
    assert "2 external ids stored" in text(browser(world.people.ben).post(upload, upload=csv))
    campaign.refresh_from_db()
    assert campaign.state == Campaign.State.DRAFT


def test_a_list_is_deleted_with_its_members_unless_a_campaign_uses_it(world: World, browser: Browse) -> None:
    mine = Audience.objects.create(tenant=world.acme, name="List", source="list", size=1)
    AudienceMember.objects.create(tenant=world.acme, audience=mine, external_id="ada")
    campaign, ben = world.draft(audience=mine), browser(world.people.ben)
    delete = reverse("admin:campaigns_audience_delete", args=[mine.pk])
    assert "In use by 1 campaign." in text(ben.get(delete))
    campaign.delete()
    assert "List: 1 ids" in text(ben.get(delete))
    ben.post(delete, post="yes")
    assert not AudienceMember.objects.exists() and not Audience.objects.filter(pk=mine.pk).exists()


def test_the_report_leads_to_its_rows_in_the_ledger(world: World, browser: Browse) -> None:
    campaign = sent(armed(world.draft()))
    sent(armed(world.draft(name="Other")))
    ben = browser(world.people.ben)
    link = f"/admin/notifier/delivery/?campaign_id={campaign.pk}"
    assert link.encode() in ben.get(page("change", campaign)).content
    assert "4 deliveries" in text(ben.get(link))


def test_the_lists_of_campaigns_audiences_and_shards_open(world: World, browser: Browse) -> None:
    sent(armed(world.draft()))
    for name in ("campaign", "audience", "shard"):
        assert browser(world.people.ben).get(f"/admin/campaigns/{name}/").status_code == 200


# ---- the ladder --------------------------------------------------------------------------------------------------


def test_the_ladder_says_what_comes_next(world: World, browser: Browse) -> None:
    ben, ours = browser(world.people.ben), armed(world.draft(channels=["push"]))
    shown = text(ben.get(page("change", ours)))
    assert "Silent run next" in shown and "1 % of it is not a single message" in shown
    twin, now = armed(rehearse.rehearse(ours, By())), datetime.now(UTC)
    Shard.objects.filter(campaign=twin).update(state=Shard.State.DONE, begun=4, sent=3, failed=1)
    ended = {"state": Campaign.State.FINISHED, "launched_at": now - timedelta(seconds=2), "finished_at": now}
    Campaign.objects.filter(pk=twin.pk).update(**ended)
    shown = text(ben.get(page("change", ours)))
    assert "To yourself next" in shown and "3 of 4 checked, 1 refused" in shown and "Rehearse again" in shown


def test_a_silent_run_begins_by_a_button_and_links_back(world: World, browser: Browse) -> None:
    ben, ours = browser(world.people.ben), world.draft(channels=["push"])
    answer = ben.post(page("rehearse", ours), page("change", ours))
    twin = Campaign.objects.get(silent=True)
    assert answer.redirect_chain == [(page("change", twin), 302)]
    assert "nobody is disturbed" in text(answer) and "A silent run of Spring ." in text(answer)
    assert page("change", ours).encode() in answer.content and b'name="_save"' not in answer.content
    assert "silent" in text(ben.get("/admin/campaigns/campaign/"))


def test_a_test_send_shows_its_outcomes_and_remembers_who_got_it(world: World, browser: Browse) -> None:
    ben, ours = browser(world.people.ben), world.draft(channels=["push", "in_app"])
    answer = ben.post(page("test", ours), page("change", ours), recipient="ada")
    shown = text(answer)
    assert "On its way to ada" in shown and "in_app : queued" in shown and "push : queued" in shown
    assert b'name="recipient" value="ada"' in ben.get(page("change", world.draft(name="Other"))).content
    found = ben.get(page("tested", ours)).json()["outcomes"]
    assert [(o["channel"], o["status"], o["final"]) for o in found] == [
        ("in_app", "queued", False),
        ("push", "queued", False),
    ]
    assert browser(world.people.ana).get(page("tested", ours)).json()["outcomes"] == []


def test_a_test_send_to_nobody_says_so(world: World, browser: Browse) -> None:
    ours = world.draft()
    answer = browser(world.people.ben).post(page("test", ours), page("change", ours), recipient="zoe")
    assert "There is no recipient" in text(answer)


def test_a_wanted_time_is_worked_out_and_a_wrong_one_is_told(world: World, browser: Browse) -> None:
    ben, ours = browser(world.people.ben), armed(world.draft(channels=["push"]))
    assert "1 worker on push.bulk with 1 connection each" in text(ben.get(f"{page('go', ours)}?seconds=5"))
    assert ben.get(f"{page('go', ours)}?seconds=soon").status_code == 302
    assert "Must be a number of seconds" in text(ben.get(page("change", ours)))


# ---- how it leaves -----------------------------------------------------------------------------------------------


def test_how_it_leaves_is_set_in_the_form(world: World, browser: Browse) -> None:
    leaving = {"hold_seconds": 10, "rate_per_s": 500, "canary_percent": 5, "max_error_percent": 3}
    browser(world.people.ben).post(ADD, **form(world, **leaving))
    ours = Campaign.objects.get()
    assert (ours.hold_seconds, ours.rate_per_s, ours.canary_percent, ours.max_error_percent) == (10, 500.0, 5, 3)
    assert ours.max_dead_percent == 50


def test_a_held_go_counts_down_and_can_be_taken_back(world: World, browser: Browse) -> None:
    ben, ours = browser(world.people.ben), armed(world.draft(hold_seconds=30))
    assert "30 s from now" in text(ben.get(page("go", ours)))
    answer = ben.post(page("go", ours), revision=ours.revision)
    assert "It leaves in 30 s" in text(answer) and b"data-left=" in answer.content
    answer = ben.post(page("take_back", ours), page("change", ours))
    assert "Taken back: nothing has left" in text(answer)
    ours.refresh_from_db()
    assert ours.state == Campaign.State.ARMED
    assert "was taken back already" in text(ben.post(page("take_back", ours), page("change", ours)))


def test_a_running_campaign_is_paused_and_resumed(world: World, browser: Browse) -> None:
    ben, ours = browser(world.people.ben), armed(world.draft())
    ben.post(page("go", ours), revision=ours.revision)
    paused = text(ben.post(page("pause", ours), page("change", ours)))
    assert "Paused. Nothing leaves until it is resumed" in paused and "Resume" in paused
    assert "paused already" in text(ben.post(page("pause", ours), page("change", ours)))
    assert "On it goes" in text(ben.post(page("resume", ours), page("change", ours)))


def test_why_it_paused_itself_stands_first(world: World, browser: Browse) -> None:
    ben, ours = browser(world.people.ben), armed(world.draft())
    ben.post(page("go", ours), revision=ours.revision)
    control.halt(ours.pk, "Every fifth message failed.")
    assert "It paused itself. Every fifth message failed." in text(ben.get(page("change", ours)))


def test_a_share_first_is_offered_where_there_is_one(world: World, browser: Browse) -> None:
    ben, ours = browser(world.people.ben), armed(world.draft(canary_percent=50))
    shards = Shard.objects.filter(campaign=ours)
    shards.update(canary=False)
    assert b'value="canary"' not in ben.get(page("go", ours)).content
    first = shards.order_by("number").first()
    assert first is not None
    Shard.objects.filter(pk=first.pk).update(canary=True)
    assert b'value="canary" checked' in ben.get(f"{page('go', ours)}?rollout=canary").content
    assert "The first 50 % are on their way" in text(
        ben.post(page("go", ours), revision=ours.revision, rollout="canary")
    )
    ours.refresh_from_db()
    assert ours.rollout == "canary"


def test_a_rollout_that_does_not_exist_launches_nothing(world: World, browser: Browse) -> None:
    ours = armed(world.draft())
    answer = browser(world.people.ben).post(page("go", ours), revision=ours.revision, rollout="slowly")
    assert "Must be one of: all, canary" in text(answer)
    ours.refresh_from_db()
    assert ours.state == Campaign.State.ARMED


@pytest.mark.parametrize("step", ["rehearse", "test", "take_back", "pause", "resume"])
def test_a_viewer_and_a_stranger_take_no_step(world: World, browser: Browse, step: str) -> None:
    ours = armed(world.draft(channels=["push"]))
    assert browser(world.vic).post(page(step, ours), ADD_FOR_TOKEN, recipient="ada").status_code == 403
    assert browser(world.people.cleo).post(page(step, ours), ADD_FOR_TOKEN, recipient="ada").status_code == 404
    assert Campaign.objects.count() == 1 and not Notification.objects.exists()
