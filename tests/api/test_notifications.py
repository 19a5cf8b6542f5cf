"""/v1/notifications."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from notifier.models import Delivery, Notification
from notifier.vocabulary.status import Mode, Status
from tenants.api_keys import create_key
from tenants.models import Category, Preference, Recipient
from tests.api.conftest import ApiSite, payload
from tests.fixtures import Api, api_key


def ahead(**kwargs: float) -> str:
    return (datetime.now(UTC) + timedelta(**kwargs)).isoformat()


def test_a_post_is_accepted_and_lists_the_delivery_of_each_channel(site: ApiSite) -> None:
    got = site.acme("POST", "/v1/notifications", payload())
    assert got.status == 202, got.body
    assert {d["channel"]: d["status"] for d in got.body["deliveries"]} == {"push": "queued", "in_app": "queued"}
    assert set(Delivery.objects.values_list("status", flat=True)) == {Status.QUEUED}


@pytest.mark.parametrize("recipient", ["dora\u200b", "\ufeffdora", "\u00a0dora "])
def test_an_id_with_invisible_characters_at_its_edges_is_found(site: ApiSite, recipient: str) -> None:
    assert site.acme("POST", "/v1/notifications", payload(recipient=recipient)).status == 202
    bulk = site.acme("POST", "/v1/notifications/bulk", {"items": [payload(recipient=recipient), payload()]})
    assert (bulk.status, bulk.body["accepted"]) == (202, 2)
    assert site.acme("POST", "/v1/inbox/tokens", {"recipient": recipient}).status == 201


def test_a_channel_that_was_turned_off_is_suppressed_with_the_reason(site: ApiSite) -> None:
    Preference.objects.create(tenant=site.people.acme, recipient=site.dora, channels_off=["push"])
    got = site.acme("POST", "/v1/notifications", payload(channels=["push"]))
    (delivery,) = got.body["deliveries"]
    assert (got.status, delivery["status"], delivery["reason"]) == (202, "suppressed", "channel_off")


QUIET_HOURS = ("expired", "quiet_hours")


@pytest.mark.parametrize(
    ("times", "outcome"),
    [
        ({}, ("queued", None)),
        ({"not_after": 1}, QUIET_HOURS),
        ({"not_after": 3}, ("queued", None)),
        ({"send_at": 1, "not_after": 1.5}, QUIET_HOURS),
        ({"send_at": 3, "not_after": 4}, ("queued", None)),
    ],
)
@pytest.mark.parametrize("bulk", [False, True])
def test_a_message_that_quiet_hours_would_hold_past_not_after_expires_at_once(
    site: ApiSite, times: dict[str, float], outcome: tuple[str, str | None], bulk: bool
) -> None:
    """The recipient's quiet hours last two more hours."""
    Category.objects.filter(tenant=site.people.acme).update(kind="marketing")
    now = datetime.now(UTC)
    hours = {"quiet_from": f"{now - timedelta(hours=2):%H:%M}", "quiet_until": f"{now + timedelta(hours=2):%H:%M}"}
    Preference.objects.create(tenant=site.people.acme, recipient=site.dora, **hours)
    item = payload(channels=["push"], **{name: ahead(hours=value) for name, value in times.items()})
    if bulk:
        got = site.acme("POST", "/v1/notifications/bulk", {"items": [item]}).body["items"][0]
    else:
        got = site.acme("POST", "/v1/notifications", item).body
    (delivery,) = got["deliveries"]
    assert (delivery["status"], delivery.get("reason")) == outcome
    (shown,) = site.acme("GET", f"/v1/notifications/{got['id']}").body["deliveries"]
    assert (shown["status"], shown["reason"] or None) == outcome


def test_a_notification_is_shown_with_the_history_of_every_delivery(site: ApiSite) -> None:
    accepted = site.acme("POST", "/v1/notifications", payload(send_at=ahead(hours=1), not_after=ahead(hours=2))).body
    got = site.acme("GET", f"/v1/notifications/{accepted['id']}")
    assert got.status == 200
    assert (got.body["recipient"], got.body["template"], got.body["mode"]) == ("dora", "shipped", "live")
    assert {d["id"] for d in got.body["deliveries"]} == {d["id"] for d in accepted["deliveries"]}
    assert [[e["what"] for e in d["history"]] for d in got.body["deliveries"]] == [["queued"], ["queued"]]


def test_a_test_key_makes_test_messages(site: ApiSite) -> None:
    _, secret = create_key(site.people.acme, "test", Mode.TEST, ["send"])
    assert Api(secret)("POST", "/v1/notifications", payload()).status == 202
    assert set(Delivery.objects.values_list("mode", flat=True)) == {"test"}


@pytest.mark.parametrize(
    ("change", "field", "code"),
    [
        ({"recipient": "nobody"}, "recipient", "unknown_recipient"),
        ({"recipient": "zoe"}, "recipient", "unknown_recipient"),  # Globex's
        ({"recipient": 7}, "recipient", "invalid"),
        ({"recipient": ""}, "recipient", "blank"),
        ({"recipient": " \u200b"}, "recipient", "blank"),
        ({"template": "unknown"}, "template", "unknown_template"),
        ({"data": {}}, "order", "missing_variables"),
        ({"data": [1]}, "data", "invalid"),
        ({"data": "x"}, "data", "invalid"),
        ({"data": {"order": "x" * 70_000}}, "data", "too_large"),
        ({"data": {"order": None}}, "data.order", "missing_variables"),
        ({"data": {"order": "42", "partial": 1}}, "data.partial", "reserved_name"),
        ({"data": {"order": "42", "recipient": {}}}, "data.recipient", "reserved_name"),
        ({"category": "unknown"}, "category", "unknown_category"),
        ({"channels": "push"}, "channels", "not_a_list"),
        ({"channels": ["pigeon"]}, "channels", "unknown_channel"),
        ({"channels": [7]}, "channels.0", "invalid"),
        ({"channels": []}, "channels", "empty"),
        ({"channels": None}, "channels", "null"),
        ({"send_at": "yesterday"}, "send_at", "invalid"),
        ({"send_at": "2020-01-31T09:00:00z"}, "send_at", "in_the_past"),
        ({"send_at": "2020-01-31 09:00:00z"}, "send_at", "in_the_past"),
        ({"not_after": "2020-01-31 10:00:00+01:00"}, "not_after", "in_the_past"),
        ({"send_at": 1893456000}, "send_at", "invalid"),
        ({"send_at": "2030-01-31T09:00:00"}, "send_at", "no_offset"),
        ({"send_at": "2030-02-31T09:00:00Z"}, "send_at", "invalid"),
        ({"send_at": "0001-01-01T00:00:00+23:59"}, "send_at", "invalid"),
        ({"send_at": "2020-01-31T09:00:00Z"}, "send_at", "in_the_past"),
        ({"send_at": ahead(days=400)}, "send_at", "too_far_ahead"),
        ({"not_after": "2020-01-31T09:00:00Z"}, "not_after", "in_the_past"),
        ({"send_at": ahead(hours=2), "not_after": ahead(hours=1)}, "not_after", "before_send_at"),
        ({"sent_at": ahead(hours=2)}, "sent_at", "unknown_field"),
    ],
)
def test_a_bad_field_is_named_with_the_reason_and_nothing_is_stored(
    site: ApiSite, change: dict[str, Any], field: str, code: str
) -> None:
    got = site.acme("POST", "/v1/notifications", payload(**change))
    assert (got.status, got.body["code"]) == (400, code), got.body
    assert field in got.body["field"] or field in got.body["detail"]
    assert got.headers["Content-Type"] == "application/problem+json"
    assert not Notification.objects.exists()


def test_a_time_in_the_past_is_refused_with_the_servers_time(site: ApiSite) -> None:
    got = site.acme("POST", "/v1/notifications", payload(send_at="2020-01-31T09:00:00Z"))
    assert f"{datetime.now(UTC):%Y-%m-%dT%H}" in got.body["detail"]


def test_several_wrong_fields_are_all_listed(site: ApiSite) -> None:
    got = site.acme("POST", "/v1/notifications", {"template": 7})
    assert {e["field"] for e in got.body["errors"]} == {"recipient", "template"}


def test_another_tenants_notification_is_not_found(site: ApiSite) -> None:
    made = site.acme("POST", "/v1/notifications", payload()).body
    assert site.globex("GET", f"/v1/notifications/{made['id']}").status == 404
    assert site.globex("GET", "/v1/notifications").body["data"] == []


def test_an_unknown_notification_is_not_found(site: ApiSite) -> None:
    assert site.acme("GET", f"/v1/notifications/{uuid.uuid4()}").status == 404
    assert site.acme("GET", "/v1/notifications/7").status == 404


def test_the_list_pages_from_the_newest_to_the_oldest_without_gaps(site: ApiSite) -> None:
    made = [site.acme("POST", "/v1/notifications", payload()).body["id"] for _ in range(5)]
    seen: list[str] = []
    path = "/v1/notifications?limit=2"
    while True:
        got = site.acme("GET", path).body
        seen += [n["id"] for n in got["data"]]
        if not got["has_more"]:
            break
        path = f"/v1/notifications?limit=2&cursor={got['next_cursor']}"
    assert seen == sorted(made, reverse=True)


def test_the_list_can_be_filtered_by_recipient(site: ApiSite) -> None:
    Recipient.objects.create(tenant=site.people.acme, external_id="emil")
    site.acme("POST", "/v1/notifications", payload())
    assert len(site.acme("GET", "/v1/notifications?recipient=dora").body["data"]) == 1
    assert site.acme("GET", "/v1/notifications?recipient=emil").body["data"] == []
    assert site.acme("GET", "/v1/notifications?recipient=zoe").status == 404


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "limit=-1", "limit=²", "limit=99999999999"])
def test_a_limit_out_of_range_is_refused(site: ApiSite, query: str) -> None:
    got = site.acme("GET", f"/v1/notifications?{query}")
    assert (got.status, got.body["field"]) == (400, "limit")


@pytest.mark.parametrize("cursor", ["x", "%00", "%F0%9F", "AAAA", "Zm9v", "a" * 3000, "AA=="])
def test_a_bad_cursor_is_refused(site: ApiSite, cursor: str) -> None:
    got = site.acme("GET", f"/v1/notifications?cursor={cursor}")
    assert (got.status, got.body["field"]) == (400, "cursor")


def test_a_full_ordering_queue_is_answered_with_429_and_a_retry_after(site: ApiSite, settings: Any) -> None:
    settings.ORDERING_QUEUE_LIMIT = 1
    assert site.acme("POST", "/v1/notifications", payload(channels=["in_app"])).status == 202
    got = site.acme("POST", "/v1/notifications", payload(channels=["in_app"]))
    assert (got.status, got.body["code"]) == (429, "queue_full")
    assert int(got.headers["Retry-After"]) > 0


def test_messages_of_a_test_key_do_not_fill_the_ordering_queue_of_live_messages(
    site: ApiSite, api: Callable[[str], Api], settings: Any
) -> None:
    settings.ORDERING_QUEUE_LIMIT = 1
    test_api = api(api_key(site.people.acme, mode=Mode.TEST))
    assert test_api("POST", "/v1/notifications", payload(channels=["in_app"], send_at=ahead(hours=1))).status == 202
    assert test_api("POST", "/v1/notifications", payload(channels=["in_app"])).body["code"] == "queue_full"
    assert site.acme("POST", "/v1/notifications", payload(channels=["in_app"])).status == 202
