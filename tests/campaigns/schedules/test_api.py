"""Schedules over the API, as the web role."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from campaigns.models import Schedule
from notifier.vocabulary.status import Mode
from tenants.models import AuditLog, Recipient
from tests.campaigns.api.conftest import Api, AsWeb
from tests.campaigns.conftest import Site
from tests.campaigns.schedules.conftest import DAILY, MONDAY, REMINDER, WEEKLY, hours, reminder, sweep
from tests.fixtures import api_key

pytestmark = pytest.mark.django_db


def body(**fields: Any) -> dict[str, Any]:
    return {"name": "Reminder", "notification": REMINDER, "rrule": DAILY, **fields}


def test_a_schedule_from_its_creation_to_its_end(site: Site, api: Api) -> None:
    fields = {"name": "News", "campaign": str(site.draft().pk), "rrule": WEEKLY, "timezone": "europe/vienna"}
    status, created = api("POST", "/v1/schedules", fields)
    assert (status, created["state"], created["timezone"], created["catch_up"]) == (
        201,
        "active",
        "Europe/Vienna",
        "last",
    )
    at = f"/v1/schedules/{created['id']}"
    shown = api("GET", f"{at}/slots")[1]
    assert len(shown["next"]) == 10 and shown["data"] == []
    assert {slot["local"][-5:] for slot in shown["next"]} == {"09:00"}
    assert api("POST", f"{at}/skip", {"at": shown["next"][1]["at"]})[0] == 400
    assert api("POST", f"{at}/skip", {"at": shown["next"][0]["at"]}) == (200, {"skipped": True, "state": "active"})
    shown = api("GET", f"{at}/slots")[1]
    assert [slot["state"] for slot in shown["next"][:2]] == ["skipped", "planned"]
    assert [slot["state"] for slot in shown["data"]] == ["skipped"]
    assert api("POST", f"{at}/pause")[1] == {"paused": True, "state": "paused"}
    assert api("POST", f"{at}/pause")[1] == {"paused": False, "state": "paused"}
    assert api("POST", f"{at}/resume")[1] == {"resumed": True, "state": "active"}
    assert api("PATCH", at, {"name": "Old news", "ends": "2090-01-01T00:00"})[1]["ends"] == "2090-01-01T00:00"
    assert api("GET", "/v1/schedules")[1]["data"][0]["name"] == "Old news"
    assert api("POST", f"{at}/cancel")[1] == {"cancelled": True, "state": "cancelled"}
    assert api("POST", f"{at}/resume")[1]["code"] == "schedule_ended"
    assert api("PATCH", at, {"name": "New"})[0] == 409
    assert api("DELETE", at)[0] == 204
    acts = AuditLog.objects.order_by("id").values_list("action", flat=True)
    assert list(acts) == [
        f"schedule.{act}" for act in ("create", "skip", "pause", "resume", "change", "cancel", "delete")
    ]


def test_no_schedule_keeps_data_for_an_erased_person(site: Site, api: Api) -> None:
    Recipient.objects.filter(tenant=site.acme, external_id=REMINDER["recipient"]).update(status="erased")
    status, answer = api("POST", "/v1/schedules", body())
    assert (status, answer["code"], answer["field"]) == (409, "erased", "notification.recipient")
    assert not Schedule.objects.exists()


def test_what_a_slot_made_is_listed(site: Site, api: Api) -> None:
    schedule = reminder(site, at="2035-01-01T09:00")
    sweep(MONDAY + hours(1))
    (slot,) = api("GET", f"/v1/schedules/{schedule.pk}/slots")[1]["data"]
    assert (slot["state"], slot["local"], slot["campaign"]) == ("done", "2035-01-01T09:00", None)
    assert api("GET", f"/v1/notifications/{slot['notification']}")[0] == 200
    assert api("DELETE", f"/v1/schedules/{schedule.pk}")[1]["code"] == "not_deletable"


REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "an unknown part": ({"rrule": "FREQ=DAILY;BYSETPOS=1"}, "rrule", "invalid_rrule"),
    "an unknown frequency": ({"rrule": "FREQ=YEARLY"}, "rrule", "invalid_rrule"),
    "a rule that is no rule": ({"rrule": "every day"}, "rrule", "invalid_rrule"),
    "every five minutes": ({"rrule": "FREQ=MINUTELY;INTERVAL=5"}, "rrule", "invalid_rrule"),
    "two minutes of an hour": ({"rrule": "FREQ=HOURLY;BYMINUTE=0,5"}, "rrule", "too_often"),
    "every minute": ({"rrule": None, "cron": "* * * * *"}, "cron", "too_often"),
    "six fields": ({"rrule": None, "cron": "0 0 9 * * 1"}, "cron", "invalid_cron"),
    "hour 24": ({"rrule": None, "cron": "0 24 * * *"}, "cron", "invalid_cron"),
    "30 February": ({"rrule": "FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30"}, "rrule", "no_slot"),
    "a rule that begins in a life's time": ({"starts": "2090-01-01T09:00"}, "rrule", "no_slot"),
    "a rule that is over": ({"rrule": "FREQ=DAILY;UNTIL=20200101T000000Z"}, "rrule", "no_slot"),
    "a time that is over": ({"rrule": None, "at": "2020-01-01T09:00"}, "at", "in_the_past"),
    "a time with an offset": ({"rrule": None, "at": "2030-01-01T09:00Z"}, "at", "has_offset"),
    "a text that is no time": ({"rrule": None, "at": "tomorrow"}, "at", "invalid"),
    "an end before the start": (
        {"starts": "2030-01-01T09:00", "ends": "2030-01-01T09:00"}, "ends", "before_starts",
    ),
    "an end of one slot": (
        {"rrule": None, "at": "2030-01-01T09:00", "ends": "2031-01-01T09:00"}, "ends", "not_with_at",
    ),
    "an unknown zone": ({"timezone": "Europe/Atlantis"}, "timezone", "invalid"),
    "two times": ({"cron": "0 9 * * *"}, "cron", "one_timing"),
    "no time": ({"rrule": None}, "at", "one_timing"),
    "no content": ({"notification": {}}, "campaign", "one_content"),
    "an unknown campaign": ({"campaign": str(uuid.UUID(int=1))}, "campaign", "unknown_campaign"),
    "an unknown recipient": (
        {"notification": {**REMINDER, "recipient": "x"}}, "notification.recipient", "unknown_recipient",
    ),
    "an unknown template": (
        {"notification": {**REMINDER, "template": "x"}}, "notification.template", "unknown_template",
    ),
    "a missing variable": ({"notification": {**REMINDER, "data": {}}}, "notification.data.what", "missing_variables"),
    "an unknown field": ({"notification": {**REMINDER, "to": "x"}}, "notification.to", "invalid"),
    "no catch-up": ({"catch_up": "some"}, "catch_up", "invalid_choice"),
    "a time of 0 minutes": ({"not_after_minutes": 0}, "not_after_minutes", "min_value"),
    "hours at local time": ({"local": True, "rrule": "FREQ=HOURLY", "notification": {}}, "local", "too_often"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_schedule_that_makes_no_sense_is_refused(case: str, site: Site, api: Api) -> None:
    fields, field, code = REFUSED[case]
    if field == "local":
        fields = {**fields, "campaign": str(site.draft().pk)}
    status, problem = api("POST", "/v1/schedules", body(**fields))
    assert (status, problem.get("field"), problem.get("code")) == (400, field, code), problem
    assert not Schedule.objects.exists()


@pytest.mark.parametrize("fields", [{"rrule": "FREQ=YEARLY"}, {"timezone": "Mars"}, {"ends": "2020-01-01T00:00"}])
def test_a_change_that_makes_no_sense_changes_nothing(fields: dict[str, Any], site: Site, api: Api) -> None:
    created = api("POST", "/v1/schedules", body())[1]
    at = f"/v1/schedules/{created['id']}"
    assert api("PATCH", at, fields)[0] == 400
    assert api("GET", at)[1] == created


def test_another_tenants_schedule_is_not_there(site: Site, api: Api, as_web: AsWeb) -> None:
    schedule = reminder(site, rrule=DAILY)
    stranger, no_scope = Api(site.people.globex_key, as_web), Api(api_key(site.acme, "send"), as_web)
    at = f"/v1/schedules/{schedule.pk}"
    for method, path in (("GET", at), ("PATCH", at), ("DELETE", at), ("GET", f"{at}/slots"), ("POST", f"{at}/pause")):
        assert stranger(method, path, {"no": 1} if method in ("PATCH", "POST") else None)[0] == 404
        assert no_scope(method, path)[0] == 403
    assert stranger("GET", "/v1/schedules")[1]["data"] == []


def test_a_test_key_touches_no_live_schedule(site: Site, as_web: AsWeb) -> None:
    test_key = Api(api_key(site.acme, mode=Mode.TEST), as_web)
    live = reminder(site, rrule=DAILY)
    assert test_key("POST", f"/v1/schedules/{live.pk}/pause")[1]["code"] == "live_schedule"
    assert test_key("POST", "/v1/schedules", body(notification={}, campaign=str(site.draft().pk)))[0] == 400
    assert test_key("POST", "/v1/schedules", body())[1]["mode"] == "test"


def test_a_repeated_post_makes_one_schedule(site: Site, api: Api) -> None:
    first = api("POST", "/v1/schedules", body(), **{"Idempotency-Key": "k"})
    assert api("POST", "/v1/schedules", body(), **{"Idempotency-Key": "k"}) == first
    assert Schedule.objects.count() == 1


def test_the_farthest_slot_is_found_quickly(site: Site, api: Api) -> None:
    status, created = api("POST", "/v1/schedules", body(rrule="FREQ=MINUTELY;INTERVAL=15;BYMONTH=2;BYMONTHDAY=29"))
    assert status == 201 and "-02-29T" in created["next_at"]


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/New_York", "Asia/Kathmandu", "Pacific/Apia"])
@pytest.mark.parametrize(
    ("until", "status"), [("99991231", 201), ("99991231T235959Z", 201), ("00010101", 400), ("00010101T000000Z", 400)]
)
def test_an_end_at_the_edge_of_time_is_an_end(zone: str, until: str, status: int, site: Site, api: Api) -> None:
    rule = f"FREQ=DAILY;BYHOUR=9;BYMINUTE=0;UNTIL={until}"
    assert api("POST", "/v1/schedules", body(rrule=rule, timezone=zone))[0] == status


def test_a_rule_whose_minutes_never_come_is_refused(site: Site, api: Api) -> None:
    rule = "FREQ=MINUTELY;INTERVAL=15;BYMINUTE=7"
    problem = api("POST", "/v1/schedules", body(rrule=rule, starts="2035-01-01T09:00", timezone="Europe/Vienna"))[1]
    assert problem["code"] == "no_slot"


_OF_WRONG_TYPES: dict[str, list[Any]] = {
    **{name: [7, [], {}, "\0"] for name in ("rrule", "cron", "at", "starts", "ends", "timezone")},
    "notification": [
        *[7, [], "x", {"recipient": ["a"], "template": {}}],
        *[{**REMINDER, "route": [{"channel": "push"}]}, {**REMINDER, "digest": {}}],
        *[{**REMINDER, "channels": "push"}, {**REMINDER, "channels": [7]}, {**REMINDER, "channels": ["\0"]}],
        *[{**REMINDER, "channels": {"a": 1}}, {**REMINDER, "data": 7}, {**REMINDER, "data": {"what": "\0"}}],
    ],
    "catch_up": [7, [], {}, None],
    "local": ["yes", 7, None],
    "not_after_minutes": ["x", [], 1e99],
    "campaign": [7, [], {}, "\0", "x"],
}
WRONG_TYPES = [(name, value) for name, values in _OF_WRONG_TYPES.items() for value in values]


@pytest.mark.parametrize("number", range(len(WRONG_TYPES)))
def test_a_value_of_a_wrong_type_is_refused(number: int, site: Site, api: Api) -> None:
    status, problem = api("POST", "/v1/schedules", body(**dict([WRONG_TYPES[number]])))
    assert status == 400 and problem["field"], problem
