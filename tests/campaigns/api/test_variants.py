"""A/B tests over the API, as the web role; the other tenant sees and changes nothing."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from campaigns import arming
from campaigns.models import Campaign, CampaignVariant, Experiment
from tests.broker import Broker, broker
from tests.campaigns.api.conftest import Api, campaign_fields
from tests.campaigns.conftest import Site, armed
from tests.campaigns.variants.conftest import crowd, send_all, template_b

__all__ = ["broker"]

TWO = {"variants": [{}, {"template": "spring-b", "weight": 3}], "test_percent": 40, "holdout_percent": 5}


@pytest.mark.django_db(transaction=True)
def test_the_road_of_a_test_from_draft_to_winner(site: Site, api: Api, stranger: Api, broker: Broker) -> None:
    crowd(site, 100)
    template_b(site)
    at = f"/v1/campaigns/{api('POST', '/v1/campaigns', campaign_fields(site, channels=['in_app']))[1]['id']}"
    assert api("GET", f"{at}/variants")[0] == 404
    status, shown = api("PUT", f"{at}/variants", {**TWO, "choice": "rule", "metric": "clicked"})
    assert status == 200, shown
    assert shown["variants"] == [
        {"variant": "A", "template": "spring", "version": None, "weight": 1},
        {"variant": "B", "template": "spring-b", "version": None, "weight": 3},
    ]
    assert (shown["test_percent"], shown["choice"], shown["otherwise"], shown["default"]) == (40, "rule", "wait", "A")
    for method, path, body in [
        ("GET", "/variants", None), ("PUT", "/variants", TWO), ("DELETE", "/variants", None),
        ("GET", "/variants/results", None), ("POST", "/choose_winner", {"variant": "A"}),
    ]:  # fmt: skip
        assert stranger(method, f"{at}{path}", body)[0] == 404, path
    assert api("POST", f"{at}/choose_winner", {"variant": "B"})[1]["code"] == "winner_not_choosable"
    campaign = Campaign.objects.get()
    arming.request_arm(campaign)
    campaign = armed(Campaign.objects.get())
    shown = api("GET", f"{at}/variants")[1]
    assert shown["variants"][0]["version"] == 1 and shown["waiting"] > 0 < shown["held_out"]
    assert api("POST", f"{at}/go")[1]["launched"]
    send_all(campaign)
    assert api("POST", f"{at}/choose_winner", {"variant": "C"})[1]["field"] == "variant"
    assert api("POST", f"{at}/choose_winner", {})[0] == 400
    assert api("POST", f"{at}/choose_winner", {"variant": "B"}) == (200, {"chosen": True, "state": "running"})
    assert api("POST", f"{at}/choose_winner", {"variant": "B"}) == (200, {"chosen": False, "state": "running"})
    assert api("POST", f"{at}/choose_winner", {"variant": "A"})[1]["code"] == "winner_chosen"
    status, results = api("GET", f"{at}/variants/results")
    assert (status, results["winner"], results["chosen"], results["waiting"]) == (200, "B", "hand", 0)
    assert [each["variant"] for each in results["variants"]] == ["A", "B"]
    assert set(results["sentences"]) == {"opened", "clicked", "unsubscribed"}
    assert api("PUT", f"{at}/variants", TWO)[0] == 409


@pytest.mark.django_db
def test_a_refused_test_is_not_stored_and_names_its_field(site: Site, api: Api) -> None:
    template_b(site)
    at = f"/v1/campaigns/{api('POST', '/v1/campaigns', campaign_fields(site, channels=['in_app']))[1]['id']}"
    for body, field in [
        ({**TWO, "test_percent": 101}, "test_percent"),
        ({**TWO, "choice": "luck"}, "choice"),
        ({**TWO, "variants": [{}]}, "variants"),
        ({**TWO, "variants": [{}, {"template": "none"}]}, "variants"),
        ({**TWO, "variants": "AB"}, "variants"),
        ({}, "variants"),
        ({**TWO, "colour": 1}, "colour"),
    ]:
        status, problem = api("PUT", f"{at}/variants", body)
        assert status == 400 and problem["field"].partition(".")[0] == field, (body, problem)
    assert not Experiment.objects.exists() and not CampaignVariant.objects.exists()
    assert api("PUT", f"/v1/campaigns/{uuid.uuid4()}/variants", TWO)[0] == 404
    assert api("PUT", f"{at}/variants", TWO)[0] == 200
    assert api("DELETE", f"{at}/variants")[0] == 204 == api("DELETE", f"{at}/variants")[0]


@pytest.mark.django_db
def test_a_rest_that_would_be_left_out_for_its_local_time_is_refused_everywhere(site: Site, api: Api) -> None:
    template_b(site)
    soon = f"{datetime.now(UTC) + timedelta(days=2):%Y-%m-%dT09:00}"
    fields = campaign_fields(site, channels=["in_app"], local_time=soon, passed="leave_out")
    at = f"/v1/campaigns/{api('POST', '/v1/campaigns', fields)[1]['id']}"

    def refused(field: str, answer: tuple[int, Any]) -> None:
        status, problem = answer
        assert (status, problem.get("field"), problem.get("code")) == (400, field, "rest_left_out")
        assert "next_day" in problem["detail"]

    refused("test_percent", api("PUT", f"{at}/variants", TWO))
    assert api("PUT", f"{at}/variants", {**TWO, "test_percent": 95})[0] == 200, "nobody waits for a winner"
    assert api("PATCH", at, {"passed": "next_day"})[0] == 200
    assert api("PUT", f"{at}/variants", TWO)[0] == 200
    refused("passed", api("PATCH", at, {"passed": "leave_out"}))
    assert api("PATCH", at, {"local_time": None, "passed": "leave_out"})[0] == 200
    refused("local_time", api("PATCH", at, {"local_time": soon}))
    rule = {"name": "News", "campaign": at.rpartition("/")[2], "rrule": "FREQ=DAILY;BYHOUR=9;BYMINUTE=0"}
    refused("local", api("POST", "/v1/schedules", {**rule, "local": True}))
    assert api("POST", "/v1/schedules", rule)[0] == 201
    # what was written before it was refused
    Campaign.objects.update(local_time=soon)
    refused("passed", api("POST", f"{at}/arm"))
    assert api("PATCH", at, {"rate_per_s": 5})[0] == 200
