"""Preflight, silent run and test send over the API, as the web role."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from campaigns.models import Campaign
from notifier.vocabulary.status import Mode
from tenants.api_keys import create_key
from tests.campaigns.conftest import Site, armed
from tests.fixtures import Api

Make = Callable[[str | None], Api]


def at(campaign: Campaign, step: str) -> str:
    return f"/v1/campaigns/{campaign.pk}/{step}"


def test_preflight_sums_up_an_armed_campaign(site: Site, api: Make) -> None:
    answer = api(site.people.acme_key)("GET", at(armed(site.draft(channels=["push"])), "preflight?seconds=5"))
    assert (answer.status, answer.body["messages"], answer.body["audience"]) == (200, 4, 4)
    (need,) = answer.body["needs"]
    assert (need["channel"], need["workers"]) == ("push", 1)
    assert any("send it to yourself first" in warning for warning in answer.body["warnings"])


@pytest.mark.parametrize("seconds", ["soon", "0", "-1", "nan", "0.05"])
def test_a_goal_in_seconds_that_is_out_of_range_is_refused(site: Site, api: Make, seconds: str) -> None:
    answer = api(site.people.acme_key)("GET", at(armed(site.draft(channels=["push"])), f"preflight?seconds={seconds}"))
    assert (answer.status, answer.body["field"]) == (400, "seconds")


def test_preflight_before_arming_is_a_conflict(site: Site, api: Make) -> None:
    answer = api(site.people.acme_key)("GET", at(site.draft(), "preflight"))
    assert (answer.status, answer.body["code"]) == (409, "not_armed")


def test_a_silent_run_answers_with_its_own_campaign(site: Site, api: Make) -> None:
    ours = site.draft(channels=["push"])
    answer = api(site.people.acme_key)("POST", at(ours, "rehearse"))
    assert (answer.status, answer.body["silent"], answer.body["state"]) == (202, True, "arming")
    assert answer.body["rehearsal_of"] == str(ours.pk) and answer.body["id"] != str(ours.pk)


def test_what_cannot_be_rehearsed_is_a_conflict(site: Site, api: Make) -> None:
    answer = api(site.people.acme_key)("POST", at(site.draft(), "rehearse"))
    assert (answer.status, answer.body["code"]) == (409, "no_rehearsal")


def test_a_test_send_is_answered_like_a_notification(site: Site, api: Make) -> None:
    ours, call = site.draft(), api(site.people.acme_key)
    answer = call("POST", at(ours, "test"), {"recipient": "ada"})
    assert answer.status == 202
    assert [(d["channel"], d["status"]) for d in answer.body["deliveries"]] == [("in_app", "queued")]
    assert call("GET", f"/v1/notifications/{answer.body['id']}").status == 200
    assert call("GET", f"/v1/campaigns/{ours.pk}").body["tested_at"] is not None


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"recipient": "zoe"}, 400, "unknown_recipient"),
        ({"recipient": ""}, 400, "blank"),
        ({}, 400, "required"),
        ({"recipient": 7}, 400, "invalid"),
        ({"recipient": "ada", "who": 1}, 400, "unknown_field"),
    ],
)
def test_a_wrong_tester_is_refused(site: Site, api: Make, body: dict[str, object], status: int, code: str) -> None:
    answer = api(site.people.acme_key)("POST", at(site.draft(), "test"), body)
    assert (answer.status, answer.body["code"]) == (status, code)


@pytest.mark.parametrize(("method", "step"), [("GET", "preflight"), ("POST", "rehearse"), ("POST", "test")])
def test_a_stranger_finds_nothing(site: Site, api: Make, method: str, step: str) -> None:
    body = {"recipient": "ada"} if step == "test" else None
    answer = api(site.people.globex_key)(method, at(armed(site.draft(channels=["push"])), step), body)
    assert (answer.status, Campaign.objects.count()) == (404, 1)


@pytest.mark.parametrize("step", ["rehearse", "test"])
def test_a_test_key_touches_no_live_campaign(site: Site, api: Make, step: str) -> None:
    _, key = create_key(site.acme, "ci", Mode.TEST, ["*"])
    body = {"recipient": "ada"} if step == "test" else None
    answer = api(key)("POST", at(site.draft(channels=["push"]), step), body)
    assert (answer.status, answer.body["code"]) == (409, "live_campaign")
