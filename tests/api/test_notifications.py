"""/v1/notifications."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rest_framework.exceptions import ValidationError

from notifier.api import shapes
from notifier.api.framework.views import read
from notifier.errors import InvalidInput
from notifier.models import Delivery, Notification
from notifier.vocabulary.status import Mode, Status
from tenants.api_keys import create_key
from tenants.models import Category, Preference, Recipient
from tests.api.conftest import World, asked
from tests.fixtures import Api, api_key


def ahead(**kwargs: float) -> str:
    return (datetime.now(UTC) + timedelta(**kwargs)).isoformat()


def test_one_post_is_accepted_and_says_what_leaves_on_which_channel(world: World) -> None:
    got = world.acme("POST", "/v1/notifications", asked())
    assert got.status == 202, got.body
    assert {d["channel"]: d["status"] for d in got.body["deliveries"]} == {"push": "queued", "in_app": "queued"}
    assert set(Delivery.objects.values_list("status", flat=True)) == {Status.QUEUED}


@pytest.mark.parametrize("recipient", ["dora\u200b", "\ufeffdora", "\u00a0dora "])
def test_an_id_with_something_invisible_at_its_edges_is_found(world: World, recipient: str) -> None:
    assert world.acme("POST", "/v1/notifications", asked(recipient=recipient)).status == 202
    bulk = world.acme("POST", "/v1/notifications/bulk", {"items": [asked(recipient=recipient), asked()]})
    assert (bulk.status, bulk.body["accepted"]) == (202, 2)
    assert world.acme("POST", "/v1/inbox/tokens", {"recipient": recipient}).status == 201


def test_a_channel_that_was_turned_off_is_suppressed_with_the_reason(world: World) -> None:
    Preference.objects.create(tenant=world.people.acme, recipient=world.dora, channels_off=["push"])
    got = world.acme("POST", "/v1/notifications", asked(channels=["push"]))
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
def test_what_would_wait_for_quiet_hours_past_not_after_expires_at_once(
    world: World, times: dict[str, float], outcome: tuple[str, str | None], bulk: bool
) -> None:
    """Quiet for two more hours."""
    Category.objects.filter(tenant=world.people.acme).update(kind="marketing")
    now = datetime.now(UTC)
    hours = {"quiet_from": f"{now - timedelta(hours=2):%H:%M}", "quiet_until": f"{now + timedelta(hours=2):%H:%M}"}
    Preference.objects.create(tenant=world.people.acme, recipient=world.dora, **hours)
    item = asked(channels=["push"], **{name: ahead(hours=value) for name, value in times.items()})
    if bulk:
        got = world.acme("POST", "/v1/notifications/bulk", {"items": [item]}).body["items"][0]
    else:
        got = world.acme("POST", "/v1/notifications", item).body
    (delivery,) = got["deliveries"]
    assert (delivery["status"], delivery.get("reason")) == outcome
    (shown,) = world.acme("GET", f"/v1/notifications/{got['id']}").body["deliveries"]
    assert (shown["status"], shown["reason"] or None) == outcome


def test_what_happened_is_told_with_every_deliverys_history(world: World) -> None:
    made = world.acme("POST", "/v1/notifications", asked(send_at=ahead(hours=1), not_after=ahead(hours=2))).body
    got = world.acme("GET", f"/v1/notifications/{made['id']}")
    assert got.status == 200
    assert (got.body["recipient"], got.body["template"], got.body["mode"]) == ("dora", "shipped", "live")
    assert {d["id"] for d in got.body["deliveries"]} == {d["id"] for d in made["deliveries"]}
    assert [[e["what"] for e in d["history"]] for d in got.body["deliveries"]] == [["queued"], ["queued"]]


def test_a_test_key_makes_test_messages(world: World) -> None:
    _, secret = create_key(world.people.acme, "test", Mode.TEST, ["send"])
    assert Api(secret)("POST", "/v1/notifications", asked()).status == 202
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
    world: World, change: dict[str, Any], field: str, code: str
) -> None:
    got = world.acme("POST", "/v1/notifications", asked(**change))
    assert (got.status, got.body["code"]) == (400, code), got.body
    assert field in got.body["field"] or field in got.body["detail"]
    assert got.headers["Content-Type"] == "application/problem+json"
    assert not Notification.objects.exists()


def hostile(world: World, title: str) -> None:
    content = {"push": {"en": {"title": title, "body": "b"}}, "in_app": {"en": {"title": title, "body": "b"}}}
    got = world.acme("PUT", "/v1/templates/shipped", {"content": content})
    assert got.status == 200, got.body


def test_a_message_that_cannot_be_rendered_is_refused_with_the_part_and_the_variable(world: World) -> None:
    hostile(world, "{% if recipient.attributes.points > 20 %}{{ 10 | divided_by: order }}{% endif %}x")
    Recipient.objects.filter(pk=world.dora.pk).update(attributes={"points": 150})
    refused = world.acme("POST", "/v1/notifications", asked(data={"order": 0}))
    assert (refused.status, refused.body["code"], refused.body["field"]) == (400, "template_error", "data.order")
    assert "title cannot be rendered: order: " in refused.body["detail"]
    Recipient.objects.create(tenant=world.people.acme, external_id="emil", attributes={"points": "many"})
    items = [asked(data={"order": 2}), asked(recipient="emil", data={"order": 2}), asked(data={"order": 0})]
    got = world.acme("POST", "/v1/notifications/bulk", {"items": items})
    assert (got.status, got.body["accepted"]) == (207, 1)
    wrong = [item["problem"]["field"] for item in got.body["items"] if item["status"] == 400]
    assert wrong == ["data.recipient.attributes.points", "data.order"]
    assert Notification.objects.count() == 1


@pytest.mark.parametrize(
    "title",
    [
        "{{ (1..6000000) | reverse | size }}",
        "{% if (1..60000000) contains 'x' %}{% endif %}",
        "{{ order" + " | escape" * 25 + " }}",
        "{% for i in (1..9999) %}{% for j in (1..9999) %}{% endfor %}{% endfor %}",
    ],
)
def test_a_template_that_takes_too_much_is_refused_and_says_what(world: World, title: str) -> None:
    hostile(world, title)
    began = time.process_time()
    got = world.acme("POST", "/v1/notifications", asked(data={"order": "&" * 60_000}))
    assert (got.status, got.body["code"]) == (400, "template_error"), got.body
    assert time.process_time() - began < 2
    assert not Notification.objects.exists()


def test_the_items_of_a_bulk_call_share_their_time(world: World) -> None:
    hostile(world, "{% for i in (1..9999) %}{% if a == b %}{% endif %}{% endfor %}x")
    slow = asked(data={name: [{"id": n, "name": f"n{n}"} for n in range(900)] for name in "ab"})
    began = time.process_time()
    got = world.acme("POST", "/v1/notifications/bulk", {"items": [slow] * 15})
    assert time.process_time() - began < 2
    assert {item["problem"]["code"] for item in got.body["items"]} == {"template_error"}


@pytest.mark.parametrize(
    ("title", "why"),
    [
        ("{{ order" + " | upcase" * 31 + " }}", "filters in a row"),
        ("{{ partial }}", "meaning of its own"),
        ("{{ nil }}", "meaning of its own"),
        ("{% comment %}" + "{%a" * 20_000, "not closed"),
        ("{% if order %}" * 31 + "{% endif %}" * 31, "nesting"),
    ],
)
def test_a_template_that_could_only_fail_is_refused_when_it_is_published(world: World, title: str, why: str) -> None:
    content = {"push": {"en": {"title": title, "body": "b"}}}
    got = world.acme("PUT", "/v1/templates/shipped", {"content": content})
    assert (got.status, got.body["field"]) == (400, "content.push.en.title"), got.body
    assert why in got.body["detail"]


def test_a_time_in_the_past_is_answered_with_the_servers_time(world: World) -> None:
    got = world.acme("POST", "/v1/notifications", asked(send_at="2020-01-31T09:00:00Z"))
    assert f"{datetime.now(UTC):%Y-%m-%dT%H}" in got.body["detail"]


def test_several_wrong_fields_are_all_listed(world: World) -> None:
    got = world.acme("POST", "/v1/notifications", {"template": 7})
    assert {e["field"] for e in got.body["errors"]} == {"recipient", "template"}


def test_another_tenants_notification_is_not_found(world: World) -> None:
    made = world.acme("POST", "/v1/notifications", asked()).body
    assert world.globex("GET", f"/v1/notifications/{made['id']}").status == 404
    assert world.globex("GET", "/v1/notifications").body["data"] == []


def test_an_unknown_notification_is_not_found(world: World) -> None:
    assert world.acme("GET", f"/v1/notifications/{uuid.uuid4()}").status == 404
    assert world.acme("GET", "/v1/notifications/7").status == 404


def test_the_list_pages_from_the_newest_to_the_oldest_without_gaps(world: World) -> None:
    made = [world.acme("POST", "/v1/notifications", asked()).body["id"] for _ in range(5)]
    seen: list[str] = []
    path = "/v1/notifications?limit=2"
    while True:
        got = world.acme("GET", path).body
        seen += [n["id"] for n in got["data"]]
        if not got["has_more"]:
            break
        path = f"/v1/notifications?limit=2&cursor={got['next_cursor']}"
    assert seen == sorted(made, reverse=True)


def test_the_list_can_be_of_one_recipient(world: World) -> None:
    Recipient.objects.create(tenant=world.people.acme, external_id="emil")
    world.acme("POST", "/v1/notifications", asked())
    assert len(world.acme("GET", "/v1/notifications?recipient=dora").body["data"]) == 1
    assert world.acme("GET", "/v1/notifications?recipient=emil").body["data"] == []
    assert world.acme("GET", "/v1/notifications?recipient=zoe").status == 404


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "limit=-1", "limit=²", "limit=99999999999"])
def test_a_limit_out_of_range_is_refused(world: World, query: str) -> None:
    got = world.acme("GET", f"/v1/notifications?{query}")
    assert (got.status, got.body["field"]) == (400, "limit")


@pytest.mark.parametrize("cursor", ["x", "%00", "%F0%9F", "AAAA", "Zm9v", "a" * 3000, "AA=="])
def test_a_bad_cursor_is_refused(world: World, cursor: str) -> None:
    got = world.acme("GET", f"/v1/notifications?cursor={cursor}")
    assert (got.status, got.body["field"]) == (400, "cursor")


def test_a_bulk_tells_the_outcome_of_each_item_in_order(world: World) -> None:
    items = [asked(), asked(recipient="nobody"), 7, asked(send_at="soon"), asked()]
    got = world.acme("POST", "/v1/notifications/bulk", {"items": items})
    assert got.status == 207
    assert (got.body["accepted"], got.body["refused"]) == (2, 3)
    assert [i["status"] for i in got.body["items"]] == [202, 400, 400, 400, 202]
    assert [i.get("problem", {}).get("field") for i in got.body["items"]] == [None, "recipient", None, "send_at", None]
    assert Notification.objects.count() == 2


def test_an_item_of_a_bulk_that_names_no_channel_is_refused(world: World) -> None:
    """An empty list went out on every channel."""
    got = world.acme("POST", "/v1/notifications/bulk", {"items": [asked(channels=[]), asked(channels=["push"])]})
    assert [(i["status"], i.get("problem", {}).get("code")) for i in got.body["items"]] == [(400, "empty"), (202, None)]
    assert [d.channel for d in Delivery.objects.all()] == ["push"]


def test_a_bulk_without_a_bad_item_is_simply_accepted(world: World) -> None:
    assert world.acme("POST", "/v1/notifications/bulk", {"items": [asked(), asked()]}).status == 202


@pytest.mark.parametrize("body", [{}, {"items": []}, {"items": {}}, {"items": [{}] * 1001}, [], {"items": None}])
def test_a_bulk_that_is_no_list_of_1_to_1000_is_refused(world: World, body: Any) -> None:
    got = world.acme("POST", "/v1/notifications/bulk", body)
    assert (got.status, got.body["field"]) == (400, "items")


def test_a_full_line_is_answered_with_429_and_when_to_try_again(world: World, settings: Any) -> None:
    settings.ORDERING_QUEUE_LIMIT = 1
    assert world.acme("POST", "/v1/notifications", asked(channels=["in_app"])).status == 202
    got = world.acme("POST", "/v1/notifications", asked(channels=["in_app"]))
    assert (got.status, got.body["code"]) == (429, "line_full")
    assert int(got.headers["Retry-After"]) > 0


def test_a_test_key_does_not_fill_the_line_of_live_messages(
    world: World, api: Callable[[str], Api], settings: Any
) -> None:
    settings.ORDERING_QUEUE_LIMIT = 1
    trying = api(api_key(world.people.acme, mode=Mode.TEST))
    assert trying("POST", "/v1/notifications", asked(channels=["in_app"], send_at=ahead(hours=1))).status == 202
    assert trying("POST", "/v1/notifications", asked(channels=["in_app"])).body["code"] == "line_full"
    assert world.acme("POST", "/v1/notifications", asked(channels=["in_app"])).status == 202


@pytest.mark.parametrize(
    "item",
    [
        {"recipient": "ana", "template": "t"},
        {"recipient": "ana", "template": "t", "category": "c", "data": {"a": [1, {"b": None}]}},
        {"recipient": "ana", "template": "t", "data": {}},
    ],
)
def test_an_ordinary_item_is_read_as_its_shape_would(item: dict[str, Any]) -> None:
    assert shapes.validated_quickly(item) == read(shapes.NotificationInput, item)


@pytest.mark.parametrize(
    "item",
    [
        None,
        [],
        {},
        {"recipient": "ana"},
        {"recipient": "", "template": "t"},
        {"recipient": 7, "template": "t"},
        {"recipient": "a" * 129, "template": "t"},
        {"recipient": "ana", "template": "t", "category": None},
        {"recipient": "ana", "template": "t", "category": ""},
        {"recipient": "ana", "template": "t", "data": None},
        {"recipient": "ana", "template": "t", "data": []},
        {"recipient": "ana", "template": "t", "data": {"a": "b" * 65_536}},
        {"recipient": "ana", "template": "t", "chanels": ["push"]},
        {"recipient": "ana", "template": "t", "not_after": "yesterday"},
    ],
)
def test_whatever_is_not_ordinary_is_left_to_the_shape(item: Any) -> None:
    assert shapes.validated_quickly(item) is None
    with pytest.raises((InvalidInput, ValidationError)):
        read(shapes.NotificationInput, item)


@pytest.mark.parametrize(
    ("order", "field"),
    [
        ("javascript:alert(1)", "content.push.en.link"),
        ("x" * 4100, "content.push.en.link"),
        ("/" + "x" * 4100, "content.push.en.link"),
    ],
)
def test_what_the_provider_would_refuse_is_refused_when_it_is_sent(world: World, order: str, field: str) -> None:
    content = {"push": {"en": {"title": "a", "body": "b", "link": "{{ order }}"}}}
    assert world.acme("PUT", "/v1/templates/linked", {"content": content}).status == 201
    got = world.acme("POST", "/v1/notifications", asked(template="linked", data={"order": order}))
    assert (got.status, got.body["field"]) == (400, field), got.body
    bulk = [asked(template="linked", data={"order": text}) for text in ("/orders/17", order)]
    told = world.acme("POST", "/v1/notifications/bulk", {"items": bulk})
    assert (told.status, told.body["accepted"], told.body["items"][1]["problem"]["field"]) == (207, 1, field)
    assert Delivery.objects.count() == 1
