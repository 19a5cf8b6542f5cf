"""/v1/recipients/<external_id>/preferences."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from notifier.api.people.preferences import columns, shown
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
    assert got["categories"] == {"promotions": False, "news": {"push": False, "in_app": True}}
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
        ({"everything_off": "yes"}, "everything_off"),
        ({"preferred_channels": {"unknown": "email"}}, "preferred_channels.unknown"),
        ({"preferred_channels": {"news": "pigeon"}}, "preferred_channels.news"),
        ({"preferred_channels": {"": 7}}, "preferred_channels"),
        ({"preferred_channels": ["email"]}, "preferred_channels"),
        ({"snoozed_until": "tomorrow"}, "snoozed_until"),
        ({"snoozed_until": "2030-01-01T00:00:00"}, "snoozed_until"),
        ({"snoozed_until": "2020-01-01T00:00:00Z"}, "snoozed_until"),
        ({"snoozed_until": "2099-01-01T00:00:00Z"}, "snoozed_until"),
    ],
)
def test_a_bad_preference_is_refused_with_the_field(site: ApiSite, preferences: dict[str, Any], field: str) -> None:
    got = site.acme("PUT", "/v1/recipients/dora/preferences", preferences)
    named = {got.body["field"], *(e["field"] for e in got.body.get("errors", []))}
    assert got.status == 400, got.body
    assert field in named, got.body
    assert not Preference.objects.exists()


def test_opt_ins_preferred_channels_and_a_snooze_are_read_as_they_were_written(site: ApiSite) -> None:
    Category.objects.create(tenant=site.people.acme, key="promotions", name="Promotions", kind="marketing")
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(days=3)
    preferences = {
        "everything_off": True,
        "categories": {"promotions": True, "news": {"push": False, "email": True}},
        "preferred_channels": {"": "email", "promotions": "sms"},
        "snoozed_until": until.isoformat(),
    }
    got = site.acme("PUT", "/v1/recipients/dora/preferences", preferences)
    assert got.status == 200, got.body
    stored = Preference.objects.get(recipient=site.dora)
    assert (stored.categories_on, stored.categories_off) == (["news:email", "promotions"], ["news:push"])
    assert got.body["categories"] == preferences["categories"]
    assert got.body["preferred_channels"] == preferences["preferred_channels"]
    assert (got.body["everything_off"], stored.snoozed_until) == (True, until)
    assert site.acme("PUT", "/v1/recipients/dora/preferences", got.body).body == got.body


def test_what_names_a_deleted_category_stays_and_can_be_written_again(site: ApiSite) -> None:
    promotions = Category.objects.create(tenant=site.people.acme, key="promotions", name="P", kind="marketing")
    values = {"categories": {"promotions": True}, "preferred_channels": {"promotions": "sms"}}
    site.acme("PUT", "/v1/recipients/dora/preferences", values)
    promotions.delete()
    got = site.acme("PUT", "/v1/recipients/dora/preferences", {"categories": {"news": True}}).body
    assert got["categories"] == {"promotions": True, "news": True}
    assert site.acme("PUT", "/v1/recipients/dora/preferences", got).body == got


def test_a_snooze_that_is_over_is_not_shown() -> None:
    now = datetime(2030, 1, 1, tzinfo=UTC)
    assert shown(Preference(snoozed_until=now), now)["snoozed_until"] is None


@pytest.mark.parametrize(
    ("off", "on", "categories"),
    [
        (["news"], ["news"], {"news": False}),
        (["news"], ["news:push"], {"news": False}),
        (["news:push"], ["news:push"], {"news": {"push": False}}),
        ([], ["news:push"], {"news": {"push": True}}),
    ],
)
def test_an_opt_out_is_shown_before_an_opt_in(off: list[str], on: list[str], categories: dict[str, Any]) -> None:
    assert shown(Preference(categories_off=off, categories_on=on))["categories"] == categories


def test_an_opt_in_with_an_opt_out_of_a_channel_shows_each_channel() -> None:
    categories = shown(Preference(categories_off=["news:push"], categories_on=["news"]))["categories"]
    assert (categories["news"]["push"], categories["news"]["email"]) == (False, True)


@pytest.mark.parametrize(
    ("values", "stored"),
    [
        ({}, {}),
        ({"channels": {"push": True}}, {"channels_off": []}),
        ({"channels": {"push": False, "in_app": False}}, {"channels_off": ["in_app", "push"]}),
        ({"categories": {"news": True}}, {"categories_off": [], "categories_on": ["news"]}),
        ({"categories": {"news": {"push": False}}}, {"categories_off": ["news:push"], "categories_on": []}),
        ({"snoozed_until": None}, {"snoozed_until": None}),
        ({"quiet_hours": None}, {"quiet_from": None, "quiet_until": None}),
        ({"language": None}, {"language": ""}),
    ],
)
def test_what_a_field_stores(values: dict[str, Any], stored: dict[str, Any]) -> None:
    now = datetime(2030, 1, 1, tzinfo=UTC)
    assert columns(values, frozenset({"news"}), Preference(), now) == stored
