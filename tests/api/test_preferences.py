"""/v1/recipients/<external_id>/preferences."""

from __future__ import annotations

from typing import Any

import pytest

from notifier.api.people.preferences import columns
from tenants.models import Category, Preference
from tests.api.conftest import ApiSite


def test_a_recipient_without_stored_preferences_allows_everything(site: ApiSite) -> None:
    got = site.acme("GET", "/v1/recipients/dora/preferences").body
    assert all(got["channels"].values())
    assert (got["categories"], got["quiet_hours"], got["language"]) == ({}, None, "")


def test_preferences_are_read_as_they_were_written(site: ApiSite) -> None:
    Category.objects.create(tenant=site.people.acme, key="promotions", name="Promotions", kind="marketing")
    preferences = {
        "channels": {"push": False},
        "categories": {"promotions": False, "news": {"push": False, "in_app": True}},
        "quiet_hours": {"from": "22:00", "until": "07:00"},
        "language": "de-AT",
    }
    assert site.acme("PUT", "/v1/recipients/dora/preferences", preferences).status == 200
    got = site.acme("GET", "/v1/recipients/dora/preferences").body
    assert (got["channels"]["push"], got["channels"]["in_app"]) == (False, True)
    assert got["categories"] == {"promotions": False, "news": {"push": False}}
    assert (got["quiet_hours"], got["language"]) == ({"from": "22:00", "until": "07:00"}, "de-AT")
    again = site.acme("PUT", "/v1/recipients/dora/preferences", got)
    assert again.body == got


def test_a_field_that_is_left_out_keeps_its_value(site: ApiSite) -> None:
    site.acme("PUT", "/v1/recipients/dora/preferences", {"categories": {"news": False}})
    site.acme("PUT", "/v1/recipients/dora/preferences", {"channels": {"push": False}, "quiet_hours": None})
    stored = Preference.objects.get(recipient=site.dora)
    assert (stored.channels_off, stored.categories_off) == (["push"], ["news"])


@pytest.mark.parametrize(
    ("preferences", "field"),
    [
        ({"channels": []}, "channels"),
        ({"channels": {"pigeon": False}}, "channels.pigeon"),
        ({"channels": {"push": "no"}}, "channels.push"),
        ({"channels": {"push": 0}}, "channels.push"),
        ({"categories": {"unknown": False}}, "categories.unknown"),
        ({"categories": {"news": 0}}, "categories.news"),
        ({"categories": {"news": {"pigeon": False}}}, "categories.news.pigeon"),
        ({"categories": [1]}, "categories"),
        ({"quiet_hours": "night"}, "quiet_hours"),
        ({"quiet_hours": {"from": "22:00"}}, "quiet_hours.until"),
        ({"quiet_hours": {"from": "25:00", "until": "07:00"}}, "quiet_hours.from"),
        ({"quiet_hours": {"from": "22:00\n", "until": "07:00"}}, "quiet_hours.from"),
        ({"quiet_hours": {"from": "07:00", "until": "07:00"}}, "quiet_hours"),
        ({"quiet_hours": {"from": 22, "until": 7}}, "quiet_hours.from"),
        ({"language": 7}, "language"),
        ({"language": "klingon!"}, "language"),
        ({"language": "klingon"}, "language"),
        ({"language": "de at"}, "language"),
        ({"digest": True}, "digest"),
    ],
)
def test_a_bad_preference_is_refused_with_the_field(site: ApiSite, preferences: dict[str, Any], field: str) -> None:
    got = site.acme("PUT", "/v1/recipients/dora/preferences", preferences)
    named = {got.body["field"], *(e["field"] for e in got.body.get("errors", []))}
    assert got.status == 400, got.body
    assert field in named, got.body
    assert not Preference.objects.exists()


@pytest.mark.parametrize(
    ("values", "stored"),
    [
        ({}, {}),
        ({"channels": {"push": True}}, {"channels_off": []}),
        ({"channels": {"push": False, "in_app": False}}, {"channels_off": ["in_app", "push"]}),
        ({"categories": {"news": True}}, {"categories_off": []}),
        ({"categories": {"news": {"push": False}}}, {"categories_off": ["news:push"]}),
        ({"quiet_hours": None}, {"quiet_from": None, "quiet_until": None}),
        ({"language": None}, {"language": ""}),
    ],
)
def test_only_opt_outs_are_stored(values: dict[str, Any], stored: dict[str, Any]) -> None:
    assert columns(values, frozenset({"news"})) == stored
