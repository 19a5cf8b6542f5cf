"""Campaigns over the API, as the web role."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from campaigns import arming
from campaigns.arming.request import MAX_REMOVED_IN_REQUEST
from campaigns.models import Campaign
from notifier.delivery.content import templates
from notifier.models import Delivery, Template
from notifier.vocabulary.status import Mode
from tenants.api_keys import create_key
from tenants.models import AuditLog
from tests.campaigns.api.conftest import Api, AsWeb, campaign_fields
from tests.campaigns.conftest import Site, armed, sent
from tests.fixtures import api_key


def test_the_road_from_draft_to_results(site: Site, api: Api) -> None:
    status, created = api("POST", "/v1/campaigns", campaign_fields(site, channels=["in_app"]))
    assert (status, created["state"], created["mode"]) == (201, "draft", "live")
    at = f"/v1/campaigns/{created['id']}"
    assert api("POST", f"{at}/arm")[0] == 202
    campaign = armed(Campaign.objects.get())
    assert api("GET", at)[1]["processed"] == 4
    assert api("POST", f"{at}/go") == (200, {"launched": True, "state": "running"})
    assert api("POST", f"{at}/go") == (200, {"launched": False, "state": "running"})
    sent(campaign)
    report = api("GET", f"{at}/results")[1]
    assert (report["state"], report["sent"], report["waiting"]) == ("finished", 4, 0)
    assert report["channels"]["in_app"]["delivered"] == 4
    assert 0 <= report["p50_ms"] <= report["p99_ms"] <= report["last_ms"]
    assert [(w["name"], w["messages"]) for w in report["workers"]] == [("bulk@one", 4)]
    assert [(a["channel"], a["platform"], a["messages"], a["sent"]) for a in report["accounts"]] == [
        ("in_app", "", 4, 4)
    ]
    assert sum(point["sent"] for point in report["throughput"]) == 4


def test_a_campaign_to_a_topic_from_draft_to_results(site: Site, api: Api) -> None:
    templates.publish(site.template, {"push": {"en": {"title": "News", "body": "{{ what }} is here"}}})
    audience = api("POST", "/v1/audiences", {"name": "News", "source": "topic", "topic": "news"})[1]["id"]
    created = api("POST", "/v1/campaigns", campaign_fields(site, audience=audience))[1]
    at = f"/v1/campaigns/{created['id']}"
    assert (created["channels"], api("POST", f"{at}/arm")[0]) == (["push"], 202)
    armed(Campaign.objects.get())
    preflight = api("GET", f"{at}/preflight")[1]
    assert (preflight["topic"], preflight["messages"]) == ("the topic news", 1)
    assert any("quiet hours of Notifier do not hold" in warning for warning in preflight["warnings"])
    status, problem = api("POST", f"{at}/go", {})
    assert (status, problem["code"]) == (409, "not_acknowledged")
    assert api("POST", f"{at}/go", {"ignore_opt_outs": "yes"})[0] == 400
    assert api("POST", f"{at}/go", {"ignore_opt_outs": True}) == (200, {"launched": True, "state": "running"})
    assert AuditLog.objects.get(action="campaign.go").detail["ignore_opt_outs"] is True
    report = api("GET", f"{at}/results")[1]
    assert (report["topic"], report["audience"], report["waiting"]) == ("the topic news", 0, 1)


def test_a_personal_template_is_refused_when_a_topic_is_armed(site: Site, api: Api) -> None:
    audience = api("POST", "/v1/audiences", {"name": "News", "source": "topic", "topic": "news"})[1]["id"]
    created = api("POST", "/v1/campaigns", campaign_fields(site, audience=audience))[1]
    status, problem = api("POST", f"/v1/campaigns/{created['id']}/arm")
    assert (status, problem["code"], problem["field"]) == (400, "personal_variable", "template")
    assert "'recipient.name'" in problem["detail"]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"template": "nothing"}, "template"),
        ({"template": 7}, "template"),
        ({"audience": str(uuid.uuid4())}, "audience"),
        ({"audience": "everybody"}, "audience"),
        ({"channels": ["fax"]}, "channels"),
        ({"channels": []}, "channels"),
        ({"channels": "push"}, "channels"),
        ({"data": []}, "data"),
        ({"data": {"what": "x" * 70_000}}, "data"),
        ({"data": {"what": "\0"}}, "data.what"),
        ({"data": {"what": "x", "empty": 1}}, "data.empty"),
        ({"name": "x" * 201}, "name"),
        ({"not_after": "2001-01-01T00:00:00Z"}, "not_after"),
        ({"not_after": "2100-01-01T00:00:00"}, "not_after"),
        ({"state": "running"}, "state"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_stored(site: Site, api: Api, fields: dict[str, Any], field: str) -> None:
    status, problem = api("POST", "/v1/campaigns", campaign_fields(site, **fields))
    assert (status, problem["field"]) == (400, field), problem
    assert not Campaign.objects.exists()


def test_the_same_post_twice_makes_one_campaign(site: Site, api: Api) -> None:
    key = {"idempotency-key": "once"}
    first = api("POST", "/v1/campaigns", campaign_fields(site), **key)
    assert api("POST", "/v1/campaigns", campaign_fields(site), **key) == first
    assert Campaign.objects.count() == 1
    assert api("POST", "/v1/campaigns", campaign_fields(site, name="Other"), **key)[0] == 422


def test_go_on_a_draft_is_refused(site: Site, api: Api) -> None:
    status, problem = api("POST", f"/v1/campaigns/{site.draft().pk}/go")
    assert (status, problem["code"]) == (409, "not_armed")


def test_an_edit_of_an_armed_campaign_returns_it_to_draft(site: Site, api: Api) -> None:
    campaign = armed(site.draft())
    status, shown = api("PATCH", f"/v1/campaigns/{campaign.pk}", {"data": {"what": "Summer"}})
    assert (status, shown["state"], shown["data"]) == (200, "draft", {"what": "Summer"})


def test_an_edit_after_go_is_refused(site: Site, api: Api) -> None:
    campaign = sent(armed(site.draft()))
    status, problem = api("PATCH", f"/v1/campaigns/{campaign.pk}", {"name": "Later"})
    assert (status, problem["code"]) == (409, "already_launched")
    campaign.refresh_from_db()
    assert campaign.name == "Spring"


def test_arming_again_after_go_is_refused(site: Site, api: Api) -> None:
    campaign = sent(armed(site.draft()))
    assert api("POST", f"/v1/campaigns/{campaign.pk}/arm")[1]["code"] == "already_launched"


def test_arming_without_an_audience_names_the_field(site: Site, api: Api) -> None:
    status, problem = api("POST", f"/v1/campaigns/{site.draft(audience=None).pk}/arm")
    assert (status, problem["field"]) == (400, "audience")


def test_changing_the_template_takes_its_channels(site: Site, api: Api) -> None:
    campaign = site.draft()
    status, problem = api("PATCH", f"/v1/campaigns/{campaign.pk}", {"channels": ["email"]})
    assert (status, problem["field"]) == (400, "channels")


def test_a_campaign_of_a_template_with_a_route_names_its_channels(site: Site, api: Api) -> None:
    Template.objects.update(route=[{"channels": ["in_app"]}])
    fields = campaign_fields(site)
    fields.pop("channels", None)
    status, problem = api("POST", "/v1/campaigns", fields)
    assert (status, problem["field"], problem["code"]) == (400, "channels", "no_route")
    assert api("POST", "/v1/campaigns", {**fields, "channels": ["in_app"]})[0] == 201


def test_stop_is_answered_once_with_true(site: Site, api: Api) -> None:
    campaign = armed(site.draft())
    at = f"/v1/campaigns/{campaign.pk}"
    api("POST", f"{at}/go")
    assert api("POST", f"{at}/stop") == (200, {"stopped": True, "state": "cancelled"})
    assert api("POST", f"{at}/stop") == (200, {"stopped": False, "state": "cancelled"})
    assert api("POST", f"{at}/go") == (200, {"launched": False, "state": "cancelled"})


def test_pause_and_resume_are_answered_once_with_true(site: Site, api: Api) -> None:
    at = f"/v1/campaigns/{armed(site.draft()).pk}"
    assert api("POST", f"{at}/pause")[1]["code"] == "not_pausable"
    api("POST", f"{at}/go")
    assert api("POST", f"{at}/resume") == (200, {"resumed": False, "state": "running"})
    assert api("POST", f"{at}/pause") == (200, {"paused": True, "state": "paused"})
    assert api("POST", f"{at}/pause") == (200, {"paused": False, "state": "paused"})
    assert api("GET", at)[1]["halted"] == ""
    assert api("POST", f"{at}/resume") == (200, {"resumed": True, "state": "running"})
    assert api("POST", f"{at}/take_back")[1]["code"] == "not_launching"
    api("POST", f"{at}/stop")
    assert api("POST", f"{at}/resume")[1]["code"] == "not_resumable"


def test_a_held_go_shows_until_when_and_can_be_taken_back(site: Site, api: Api) -> None:
    at = f"/v1/campaigns/{armed(site.draft(hold_seconds=20)).pk}"
    assert api("POST", f"{at}/go", {"rollout": "all"}) == (200, {"launched": True, "state": "launching"})
    assert api("POST", f"{at}/go") == (200, {"launched": False, "state": "launching"})
    shown = api("GET", at)[1]
    assert (shown["hold_seconds"], shown["launched_at"], bool(shown["hold_until"])) == (20, None, True)
    assert api("PATCH", at, {"name": "Other"})[1]["code"] == "not_editable"
    assert api("POST", f"{at}/take_back") == (200, {"taken_back": True, "state": "armed"})
    assert api("POST", f"{at}/take_back") == (200, {"taken_back": False, "state": "armed"})
    assert api("GET", at)[1]["hold_until"] is None


def test_go_takes_a_rollout_and_nothing_else(site: Site, api: Api) -> None:
    at = f"/v1/campaigns/{armed(site.draft()).pk}"
    assert api("POST", f"{at}/go", {"rollout": "some"})[1]["field"] == "rollout"
    assert api("POST", f"{at}/go", {"percent": 1})[1]["code"] == "unknown_field"
    assert api("POST", f"{at}/go", {"rollout": "canary"})[1]["code"] == "no_canary"  # 1 % of 4
    assert api("GET", at)[1]["state"] == "armed"
    assert api("POST", f"{at}/go", {})[1] == {"launched": True, "state": "running"}
    assert api("GET", at)[1]["rollout"] == "all"


SETTINGS = {
    "hold_seconds": 10,
    "rate_per_s": 2.5,
    "canary_percent": 5,
    "max_error_percent": 30,
    "max_dead_percent": 100,
}


def test_the_settings_are_stored_and_shown(site: Site, api: Api) -> None:
    created = api("POST", "/v1/campaigns", campaign_fields(site, **SETTINGS))[1]
    assert {name: created[name] for name in SETTINGS} == SETTINGS
    unset = api("PATCH", f"/v1/campaigns/{created['id']}", {"rate_per_s": None})[1]
    assert {name: unset[name] for name in SETTINGS} == {**SETTINGS, "rate_per_s": None}
    plain = api("POST", "/v1/campaigns", campaign_fields(site))[1]
    assert [plain[name] for name in SETTINGS] == [0, None, 1, 20, 50]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("hold_seconds", -1),
        ("hold_seconds", 3_601),
        ("hold_seconds", "10"),
        ("hold_seconds", 1.5),
        ("hold_seconds", None),
        ("rate_per_s", 0),
        ("rate_per_s", -1),
        ("rate_per_s", 1e7),
        ("rate_per_s", True),
        ("rate_per_s", "10"),
        ("canary_percent", 51),
        ("max_error_percent", 0),
        ("max_error_percent", 101),
        ("max_dead_percent", True),
    ],
)
def test_a_wrong_setting_is_named(site: Site, api: Api, field: str, value: Any) -> None:
    status, problem = api("POST", "/v1/campaigns", campaign_fields(site, **{field: value}))
    assert (status, problem["field"]) == (400, field), problem


def test_what_is_not_in_the_messages_can_be_changed_without_arming_again(site: Site, api: Api) -> None:
    at = f"/v1/campaigns/{armed(site.draft()).pk}"
    limits = {"rate_per_s": 5.0, "max_error_percent": 40, "max_dead_percent": 60}
    assert api("PATCH", at, {**limits, "hold_seconds": 0, "name": "May"})[1]["state"] == "armed"
    assert api("GET", at)[1]["name"] == "May"
    api("POST", f"{at}/go")
    faster = api("PATCH", at, {"rate_per_s": 50.0})[1]
    assert (faster["state"], faster["rate_per_s"], faster["max_error_percent"]) == ("running", 50.0, 40)
    for late in ({"hold_seconds": 5}, {"canary_percent": 2}, {"rate_per_s": 1.0, "name": "Later"}):
        assert api("PATCH", at, late)[1]["code"] == "already_launched"
    api("POST", f"{at}/stop")
    assert api("PATCH", at, {"rate_per_s": 1.0})[1]["code"] == "already_launched"
    assert api("GET", at)[1]["rate_per_s"] == 50.0


def test_a_draft_can_be_deleted_and_nothing_else(site: Site, api: Api, stranger: Api) -> None:
    draft = site.draft()
    at = f"/v1/campaigns/{draft.pk}"
    assert stranger("DELETE", at)[0] == 404
    assert api("DELETE", at) == (204, None)
    assert api("GET", at)[0] == 404
    assert api("DELETE", at)[0] == 404
    row = AuditLog.objects.get(action="campaign.delete")
    assert (row.object_id, row.detail) == (str(draft.pk), {})


def test_what_is_armed_or_was_launched_cannot_be_deleted(site: Site, api: Api) -> None:
    campaign = armed(site.draft())
    at = f"/v1/campaigns/{campaign.pk}"
    assert api("DELETE", at)[1]["code"] == "not_deletable"
    sent(campaign)
    status, problem = api("DELETE", at)
    assert (status, problem["code"]) == (409, "not_deletable")
    assert Campaign.objects.filter(pk=campaign.pk).exists()


def test_a_draft_whose_rows_are_still_being_removed_waits(site: Site, api: Api) -> None:
    campaign = armed(site.draft())
    # as large as a campaign whose rows a worker removes
    Campaign.objects.filter(pk=campaign.pk).update(processed=MAX_REMOVED_IN_REQUEST + 1)
    at = f"/v1/campaigns/{campaign.pk}"
    assert api("PATCH", at, {"data": {"what": "Summer"}})[1]["state"] == "draft"
    status, problem = api("DELETE", at)
    assert (status, problem["code"]) == (409, "not_deletable")
    arming.remove_disarmed(campaign.pk)
    assert api("DELETE", at)[0] == 204
    assert not Delivery.objects.filter(campaign_id=campaign.pk).exists()


def test_another_canary_needs_another_arming(site: Site, api: Api) -> None:
    at = f"/v1/campaigns/{armed(site.draft()).pk}"
    assert api("PATCH", at, {"canary_percent": 25})[1]["state"] == "draft"


def test_a_draft_cannot_be_stopped(site: Site, api: Api) -> None:
    status, problem = api("POST", f"/v1/campaigns/{site.draft().pk}/stop")
    assert (status, problem["code"]) == (409, "not_stoppable")


def test_a_test_key_makes_test_campaigns_and_touches_no_live_one(site: Site, as_web: AsWeb) -> None:
    test = Api(create_key(site.acme, "test", Mode.TEST, ["campaigns"])[1], as_web)
    assert test("POST", "/v1/campaigns", campaign_fields(site))[1]["mode"] == "test"
    live = armed(site.draft())
    steps = ("go", "arm", "stop", "pause", "resume", "take_back")
    for method, step in (*(("POST", f"/{name}") for name in steps), ("PATCH", "")):
        status, problem = test(method, f"/v1/campaigns/{live.pk}{step}", {} if method == "PATCH" else None)
        assert (status, problem["code"]) == (409, "live_campaign")


def test_a_key_without_the_scope_is_refused(site: Site, as_web: AsWeb) -> None:
    other = Api(api_key(site.acme, "send"), as_web)
    assert other("GET", "/v1/campaigns")[0] == 403


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/campaigns/{campaign}"),
        ("PATCH", "/v1/campaigns/{campaign}"),
        ("POST", "/v1/campaigns/{campaign}/arm"),
        ("POST", "/v1/campaigns/{campaign}/go"),
        ("POST", "/v1/campaigns/{campaign}/stop"),
        ("POST", "/v1/campaigns/{campaign}/pause"),
        ("POST", "/v1/campaigns/{campaign}/resume"),
        ("POST", "/v1/campaigns/{campaign}/take_back"),
        ("GET", "/v1/campaigns/{campaign}/results"),
        ("GET", "/v1/audiences/{audience}"),
        ("PUT", "/v1/audiences/{audience}/members"),
    ],
)
def test_a_stranger_gets_404(site: Site, stranger: Api, method: str, path: str) -> None:
    at = path.format(campaign=armed(site.draft()).pk, audience=site.everybody.pk)
    status, problem = stranger(method, at, {} if method in ("PATCH", "PUT") else None)
    assert status == 404 or problem["field"] == "external_ids"
    assert "Spring" not in str(problem) and "Everybody" not in str(problem)
    assert Campaign.objects.get().state == Campaign.State.ARMED


def test_a_strangers_lists_hold_nothing_of_acme(site: Site, stranger: Api) -> None:
    site.draft()
    for path in ("/v1/campaigns", "/v1/audiences"):
        assert stranger("GET", path)[1]["data"] == []


def test_another_tenants_audience_and_template_are_unknown(site: Site, stranger: Api) -> None:
    status, problem = stranger("POST", "/v1/campaigns", campaign_fields(site))
    assert (status, problem["code"]) == (400, "unknown_template")


def test_lists_come_newest_first_by_cursor(site: Site, api: Api) -> None:
    created = [str(site.draft(name=f"c{n}").pk) for n in range(3)]
    first = api("GET", "/v1/campaigns?limit=2")[1]
    second = api("GET", f"/v1/campaigns?limit=2&cursor={first['next_cursor']}")[1]
    assert [c["id"] for c in first["data"] + second["data"]] == sorted(created, reverse=True)
    assert second["has_more"] is False
