"""The steps to GO, and how a campaign leaves, in the admin. As the web role."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from campaigns.audit import OPERATOR
from campaigns.lifecycle.running import pausing
from campaigns.models import Campaign, Shard
from campaigns.preflight import rehearse
from notifier.models import Notification
from tests.campaigns.admin.test_pages import ADD, ADD_FOR_TOKEN, Browse, form
from tests.campaigns.conftest import Site, armed, page, text

# ---- the steps ----------------------------------------------------------------------------------------------------


def test_the_steps_say_what_comes_next(site: Site, browser: Browse) -> None:
    ben, ours = browser(site.people.ben), site.draft(channels=["push"])
    shown = text(ben.get(page("change", ours)))
    assert "Arm next" in shown and "Preflight not yet Arm the campaign first." in shown
    armed(ours)
    shown = text(ben.get(page("change", ours)))
    assert "GO next Everything is ready." in shown and "Approval not needed" in shown
    twin, now = armed(rehearse.rehearse(ours, OPERATOR)), datetime.now(UTC)
    Shard.objects.filter(campaign=twin).update(state=Shard.State.DONE, begun=4, sent=3, failed=1)
    ended = {"state": Campaign.State.FINISHED, "launched_at": now - timedelta(seconds=2), "finished_at": now}
    Campaign.objects.filter(pk=twin.pk).update(**ended)
    shown = text(ben.get(page("change", ours)))
    assert "Silent run done" in shown and "3 of 4 checked, 1 refused" in shown and "Rehearse again" in shown


def test_a_silent_run_begins_by_a_button_and_links_back(site: Site, browser: Browse) -> None:
    ben, ours = browser(site.people.ben), site.draft(channels=["push"])
    answer = ben.post(page("rehearse", ours), page("change", ours))
    twin = Campaign.objects.get(silent=True)
    assert answer.redirect_chain == [(page("change", twin), 302)]
    assert "no message is delivered" in text(answer) and "A silent run of Spring ." in text(answer)
    assert page("change", ours).encode() in answer.content and b'name="_save"' not in answer.content
    assert "silent" in text(ben.get("/admin/campaigns/campaign/"))


def test_a_test_send_shows_its_outcomes_and_remembers_who_got_it(site: Site, browser: Browse) -> None:
    ben, ours = browser(site.people.ben), site.draft(channels=["push", "in_app"])
    answer = ben.post(page("test", ours), page("change", ours), recipient="ada")
    shown = text(answer)
    assert "On its way to ada" in shown and "in_app : queued" in shown and "push : queued" in shown
    assert b'name="recipient" value="ada"' in ben.get(page("change", site.draft(name="Other"))).content
    outcomes = ben.get(page("tested", ours)).json()["outcomes"]
    assert [(o["channel"], o["status"], o["final"]) for o in outcomes] == [
        ("in_app", "queued", False),
        ("push", "queued", False),
    ]
    assert browser(site.people.ana).get(page("tested", ours)).json()["outcomes"] == []


def test_a_test_send_to_an_unknown_recipient_says_so(site: Site, browser: Browse) -> None:
    ours = site.draft()
    answer = browser(site.people.ben).post(page("test", ours), page("change", ours), recipient="zoe")
    assert "There is no recipient" in text(answer)


def test_a_goal_in_seconds_is_worked_out_and_a_wrong_one_is_named(site: Site, browser: Browse) -> None:
    ben, ours = browser(site.people.ben), armed(site.draft(channels=["push"]))
    assert "1 worker on push.bulk with 1 connection each" in text(ben.get(f"{page('go', ours)}?seconds=5"))
    assert ben.get(f"{page('go', ours)}?seconds=soon").status_code == 302
    assert "Must be a number of seconds" in text(ben.get(page("change", ours)))


# ---- how it leaves -----------------------------------------------------------------------------------------------


def test_how_it_leaves_is_set_in_the_form(site: Site, browser: Browse) -> None:
    leaving = {"hold_seconds": 10, "rate_per_s": 500, "canary_percent": 5, "max_error_percent": 3}
    browser(site.people.ben).post(ADD, **form(site, **leaving))
    ours = Campaign.objects.get()
    assert (ours.hold_seconds, ours.rate_per_s, ours.canary_percent, ours.max_error_percent) == (10, 500.0, 5, 3)
    assert ours.max_dead_percent == 50


def test_a_held_go_counts_down_and_can_be_taken_back(site: Site, browser: Browse) -> None:
    ben, ours = browser(site.people.ben), armed(site.draft(hold_seconds=30))
    assert "in 30 s" in text(ben.get(page("go", ours)))
    answer = ben.post(page("go", ours), revision=ours.revision)
    assert "It leaves in 30 s" in text(answer) and b"data-left=" in answer.content
    answer = ben.post(page("take_back", ours), page("change", ours))
    assert "Taken back: nothing has left" in text(answer)
    ours.refresh_from_db()
    assert ours.state == Campaign.State.ARMED
    assert "was taken back already" in text(ben.post(page("take_back", ours), page("change", ours)))


def test_a_running_campaign_is_paused_and_resumed(site: Site, browser: Browse) -> None:
    ben, ours = browser(site.people.ben), armed(site.draft())
    ben.post(page("go", ours), revision=ours.revision)
    paused = text(ben.post(page("pause", ours), page("change", ours)))
    assert "Paused. Nothing leaves until it is resumed" in paused and "Resume" in paused
    assert "paused already" in text(ben.post(page("pause", ours), page("change", ours)))
    assert "Resumed." in text(ben.post(page("resume", ours), page("change", ours)))


def test_why_it_paused_itself_stands_first(site: Site, browser: Browse) -> None:
    ben, ours = browser(site.people.ben), armed(site.draft())
    ben.post(page("go", ours), revision=ours.revision)
    pausing.halt(ours.pk, "Every fifth message failed.")
    assert "The campaign paused itself. Every fifth message failed." in text(ben.get(page("change", ours)))


def test_a_share_first_is_offered_where_there_is_one(site: Site, browser: Browse) -> None:
    ben, ours = browser(site.people.ben), armed(site.draft(canary_percent=50))
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


def test_a_rollout_that_does_not_exist_launches_nothing(site: Site, browser: Browse) -> None:
    ours = armed(site.draft())
    answer = browser(site.people.ben).post(page("go", ours), revision=ours.revision, rollout="slowly")
    assert "Must be one of: all, canary" in text(answer)
    ours.refresh_from_db()
    assert ours.state == Campaign.State.ARMED


@pytest.mark.parametrize("step", ["rehearse", "test", "take_back", "pause", "resume"])
def test_a_viewer_and_a_stranger_take_no_step(site: Site, browser: Browse, step: str) -> None:
    ours = armed(site.draft(channels=["push"]))
    assert browser(site.vic).post(page(step, ours), ADD_FOR_TOKEN, recipient="ada").status_code == 403
    assert browser(site.people.cleo).post(page(step, ours), ADD_FOR_TOKEN, recipient="ada").status_code == 404
    assert Campaign.objects.count() == 1 and not Notification.objects.exists()
