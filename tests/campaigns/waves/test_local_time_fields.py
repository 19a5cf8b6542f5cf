"""`local_time` and `passed` over the API and in the admin: what is stored and shown, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from campaigns.models import Campaign
from tenants.models import User
from tests.broker import Broker, broker
from tests.campaigns.admin.test_pages import ADD, form
from tests.campaigns.api.conftest import Api, AsWeb, campaign_fields
from tests.campaigns.conftest import Browser, Site, page, text
from tests.campaigns.launched import after_go
from tests.campaigns.waves.conftest import IN_UTC, LOCAL, NOW, armed_in_waves

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["broker"]
TEXT = LOCAL.isoformat()


@pytest.fixture
def api(site: Site, as_web: AsWeb) -> Api:
    return Api(site.people.acme_key, as_web)


def test_a_local_time_is_stored_and_shown_without_a_zone(site: Site, api: Api) -> None:
    status, created = api("POST", "/v1/campaigns", campaign_fields(site, local_time=TEXT, passed="leave_out"))
    shown = (created["local_time"], created["passed"], created["next_wave_at"])
    assert (status, *shown) == (201, TEXT, "leave_out", None)
    at = f"/v1/campaigns/{created['id']}"
    assert api("GET", at)[1]["local_time"] == TEXT
    assert api("PATCH", at, {"name": "May"})[1]["local_time"] == TEXT
    assert api("PATCH", at, {"local_time": None})[1]["local_time"] is None


@pytest.mark.parametrize(
    ("fields", "field", "code"),
    [
        ({"local_time": f"{TEXT}Z"}, "local_time", "has_offset"),
        ({"local_time": "tomorrow"}, "local_time", "invalid"),
        ({"local_time": 9}, "local_time", "invalid"),
        ({"local_time": "2001-01-01T09:00"}, "local_time", "in_the_past"),
        ({"local_time": (LOCAL + timedelta(days=369)).isoformat()}, "local_time", "too_far_ahead"),
        ({"local_time": TEXT, "passed": "never"}, "passed", "invalid_choice"),
        ({"local_time": TEXT, "launch_at": f"{LOCAL + timedelta(hours=13)}Z"}, "launch_at", "after_local_time"),
        (
            {"local_time": (LOCAL + timedelta(days=2)).isoformat(), "not_after": f"{LOCAL + timedelta(days=1)}Z"},
            "not_after",
            "before_local_time",
        ),
    ],
)
def test_a_wrong_time_is_named_and_nothing_is_stored(
    site: Site, api: Api, fields: dict[str, Any], field: str, code: str
) -> None:
    status, problem = api("POST", "/v1/campaigns", campaign_fields(site, **fields))
    assert (status, problem["field"], problem["code"]) == (400, field, code)
    assert not Campaign.objects.exists()


def test_the_field_that_changes_is_the_one_that_is_named(site: Site, api: Api) -> None:
    created = api("POST", "/v1/campaigns", campaign_fields(site, launch_at=f"{LOCAL + timedelta(hours=13)}Z"))[1]
    at = f"/v1/campaigns/{created['id']}"
    assert api("PATCH", at, {"local_time": TEXT})[1]["field"] == "local_time"
    assert api("PATCH", at, {"launch_at": None})[0] == 200
    assert api("PATCH", at, {"local_time": TEXT})[0] == 200
    plan = {"launch_at": f"{LOCAL + timedelta(hours=13)}Z"}
    assert api("POST", f"{at}/plan", plan)[1]["code"] == "after_local_time"


def test_a_topic_has_no_local_time(site: Site, api: Api) -> None:
    audience = api("POST", "/v1/audiences", {"name": "News", "source": "topic", "topic": "news"})[1]["id"]
    fields = campaign_fields(site, audience=audience, local_time=TEXT)
    assert api("POST", "/v1/campaigns", fields)[1]["code"] == "no_local_time"
    created = api("POST", "/v1/campaigns", campaign_fields(site, local_time=TEXT, channels=["push"]))[1]
    assert api("PATCH", f"/v1/campaigns/{created['id']}", {"audience": audience})[1]["code"] == "no_local_time"


def test_an_author_types_a_time_of_no_zone(site: Site, broker: Broker, browser: Callable[[User], Browser]) -> None:
    site.acme.timezone = "Asia/Kathmandu"
    site.acme.save()
    ben = browser(site.people.ben)
    typed = f"{LOCAL:%Y-%m-%dT%H:%M}"
    ben.post(ADD, **form(site, channels=["in_app"], local_time=typed, passed="leave_out"))
    campaign = Campaign.objects.get()
    assert (campaign.local_time, campaign.passed) == (LOCAL.replace(second=0), "leave_out")
    assert f'value="{typed}"' in ben.get(page("change", campaign)).content.decode()
    answer = ben.post(ADD, **form(site, name="Late", local_time="2001-01-01T09:00"))
    assert "Is over everywhere on earth." in text(answer) and Campaign.objects.count() == 1
    assert "without a zone" in text(ben.post(ADD, **form(site, name="Late", local_time="soon")))


def test_the_page_says_when_the_next_wave_leaves(
    site: Site, broker: Broker, browser: Callable[[User], Browser]
) -> None:
    campaign = armed_in_waves(site)
    ben = browser(site.people.ben)
    before_go = text(ben.get(page("go", campaign))).replace("&#x27;", "'")
    assert "of each recipient's own clock. 3 waves." in before_go
    assert f"{IN_UTC:%-d %B, %H:%M} UTC" in before_go
    after_go(campaign)
    shown = text(ben.get(page("change", campaign))).replace("&#x27;", "'")
    assert f"The next 2 messages leave on {IN_UTC:%-d %B, %H:%M} UTC, at the recipients' local time." in shown
    assert f"At each recipient's local time {LOCAL:%-d %B %Y, %H:%M}" in shown and f"{LOCAL:%H:%M:%S}" not in shown
    progress = ben.get(page("progress", campaign)).json()
    assert progress["state"] == "running" and f"{IN_UTC:%-d %B, %H:%M} UTC" in str(progress)
    assert IN_UTC > NOW
