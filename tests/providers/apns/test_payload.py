"""APNs: payloads against Apple's documented keys, their sizes, and the headers."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from notifier.channels.push import Push
from notifier.errors import InvalidInput
from notifier.providers.apns.provider import Apns
from notifier.providers.base import Unbuildable
from notifier.vocabulary.content import TenantRules
from tests.providers.apns.accounts import ACTIVITY, provider, push

#: Apple's keys of `aps`, and the type of each value
#: https://developer.apple.com/documentation/usernotifications/generating-a-remote-notification
APS_KEYS: dict[str, tuple[type, ...]] = {
    "alert": (dict, str), "badge": (int,), "sound": (str, dict), "thread-id": (str,), "category": (str,),
    "content-available": (int,), "mutable-content": (int,), "target-content-id": (str,), "interruption-level": (str,),
    "relevance-score": (int, float), "filter-criteria": (str,), "stale-date": (int,), "content-state": (dict,),
    "timestamp": (int,), "event": (str,), "dismissal-date": (int,), "attributes-type": (str,), "attributes": (dict,),
}  # fmt: skip
#: `sound` is a part of a Live Activity's alert
ALERT_KEYS = {
    "title", "subtitle", "body", "launch-image", "title-loc-key", "title-loc-args", "subtitle-loc-key",
    "subtitle-loc-args", "loc-key", "loc-args", "sound",
}  # fmt: skip
SOUND_KEYS = {"critical": int, "name": str, "volume": float}


def document(**changes: Any) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(provider().request(push(**changes), "").body)
    for key, value in body["aps"].items():
        assert isinstance(value, APS_KEYS[key]) and not isinstance(value, bool), key
    assert set(body["aps"].get("alert", {})) <= ALERT_KEYS
    if isinstance(sound := body["aps"].get("sound"), dict):
        assert {name: type(value) for name, value in sound.items()} == SOUND_KEYS
    return body


def aps(**changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = document(**changes)["aps"]
    return found


def headers(**changes: Any) -> dict[str, str]:
    return dict(provider().request(push(**changes), "").headers)


HELLO = {"title": "Hello", "body": "It is there."}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {"alert": HELLO}),
        ({"title": ""}, {"alert": {"body": "It is there."}}),
        ({"sound": "default", "badge": "7"}, {"sound": "default", "badge": 7}),
        ({"badge": "0"}, {"badge": 0}),
        ({"sound": "a.caf", "apns": {"sound": "b.caf"}}, {"sound": "b.caf"}),
        ({"apns": {"critical": "true", "volume": "0.5"}}, {"sound": {"critical": 1, "name": "default", "volume": 0.5}}),
        ({"apns": {"subtitle": "x"}}, {"alert": {"title": "Hello", "subtitle": "x", "body": "It is there."}}),
        (
            {"apns": {"thread_id": "t", "category": "c", "interruption_level": "time-sensitive"}},
            {"thread-id": "t", "category": "c", "interruption-level": "time-sensitive"},
        ),
        (
            {"apns": {"relevance_score": "0.5", "target_content_id": "w", "filter_criteria": "f"}},
            {"relevance-score": 0.5, "target-content-id": "w", "filter-criteria": "f"},
        ),
        ({"apns": {"mutable_content": "true"}}, {"mutable-content": 1}),
        ({"image": "https://shop.test/1.png"}, {"mutable-content": 1}),
        ({"apns": {"content_available": "true"}}, {"content-available": 1, "alert": HELLO}),
        ({"apns": ACTIVITY | {"timestamp": "5"}}, {"event": "update", "content-state": {"minutes": 4}, "timestamp": 5}),
        (
            {"apns": {**ACTIVITY, "event": "end", "stale_date": "6", "dismissal_date": "7"}, "sound": "a.caf"},
            {"stale-date": 6, "dismissal-date": 7, "alert": {**HELLO, "sound": "a.caf"}},
        ),
        (
            {"apns": {**ACTIVITY, "event": "start", "attributes_type": "Order", "attributes": '{"id": 1}'}},
            {"attributes-type": "Order", "attributes": {"id": 1}},
        ),
    ],
)  # fmt: skip
def test_every_part_has_apple_s_key(changes: dict[str, Any], expected: dict[str, Any]) -> None:
    values = aps(**changes)
    assert {key: values[key] for key in expected} == expected


def test_a_push_without_text_wakes_the_app_in_the_background() -> None:
    silent = {"title": "", "body": "", "data": {"sync": "1"}, "urgent": True, "sound": "default", "badge": "3"}
    assert document(**silent).keys() == {"aps", "sync", "delivery_id"}
    assert aps(**silent) == {"content-available": 1}
    assert (headers(**silent)["apns-push-type"], headers(**silent)["apns-priority"]) == ("background", "5")


def test_the_app_gets_the_data_beside_aps() -> None:
    message = push(data={"order": "7", "n": 2}, link="app://orders/7", apns={"payload": '{"deep": {"er": 1}}'})
    body = json.loads(provider().request(message, "").body)
    assert body | {"aps": 0} == {
        "aps": 0, "order": "7", "n": "2", "deep": {"er": 1}, "link": "app://orders/7",
        "delivery_id": str(message.envelope.delivery_id),
    }  # fmt: skip


def test_the_headers_name_the_delivery_and_what_it_replaces() -> None:
    message = push(expires_in=0)
    first, again = (dict(provider().request(message, "").headers) for _ in range(2))
    assert first == again
    assert first["apns-id"] == str(message.envelope.delivery_id)
    assert first["apns-collapse-id"] == message.envelope.collapse_key
    assert first["apns-topic"] == "com.example.notifier"
    assert (first["apns-push-type"], first["apns-priority"], first["apns-expiration"]) == ("alert", "5", "0")


def test_expiry_and_urgency_are_apple_s() -> None:
    urgent = headers(urgent=True, expires_in=90)
    assert urgent["apns-priority"] == "10"
    assert 60 < int(urgent["apns-expiration"]) - datetime.now(UTC).timestamp() <= 91
    assert "apns-expiration" not in headers()


@pytest.mark.parametrize("key", ["k" * 64, "k" * 65, "ü" * 40, "a\nb"])
def test_a_collapse_id_has_64_bytes_at_most_and_is_the_same_each_time(key: str) -> None:
    first, again = headers(collapse_key=key), headers(collapse_key=key)
    assert first["apns-collapse-id"] == again["apns-collapse-id"]
    assert 0 < len(first["apns-collapse-id"].encode()) <= 64 and first["apns-collapse-id"].isprintable()


@pytest.mark.parametrize(
    ("block", "kind", "topic"),
    [
        (ACTIVITY, "liveactivity", "com.example.notifier.push-type.liveactivity"),
        ({"push_type": "voip"}, "voip", "com.example.notifier.voip"),
        ({"push_type": "widgets"}, "widgets", "com.example.notifier.push-type.widgets"),
        ({"push_type": "location"}, "location", "com.example.notifier.location-query"),
    ],
)
def test_the_topic_follows_the_push_type(block: dict[str, str], kind: str, topic: str) -> None:
    sent = headers(apns=block)
    assert (sent["apns-push-type"], sent["apns-topic"]) == (kind, topic)


def test_a_push_that_needs_another_credential_is_refused() -> None:
    with pytest.raises(Unbuildable, match="mdm"):
        headers(apns={"push_type": "mdm"})


def test_the_whole_payload_counts_when_it_is_published_and_when_it_leaves() -> None:
    parts: dict[str, Any] = {"title": "Hello", "body": "It is there.", "data": {"a": "1"}, "badge": "1"}
    message = push(data={"a": "1"}, badge="1")
    assert Apns.size(parts) == len(provider().request(message, "").body)
    room = 4097 - Apns.size({**parts, "body": "x"})
    Apns.check_content({**parts, "body": "x" * room})
    with pytest.raises(InvalidInput, match="4,096") as refused:
        Apns.check_content({**parts, "body": "x" * (room + 1)})
    assert refused.value.field == "body"
    provider().request(push(body="x" * room, data={"a": "1"}, badge="1"), "")
    with pytest.raises(Unbuildable, match="4,097"):
        provider().request(push(body="x" * (room + 1), data={"a": "1"}, badge="1"), "")


def test_a_call_may_be_larger() -> None:
    parts: dict[str, Any] = {"body": "x" * 4800}
    with pytest.raises(InvalidInput, match="4,096"):
        Apns.check_content(parts)
    call = {"apns": {"push_type": "voip"}}
    Apns.check_content({**parts, **call})
    with pytest.raises(InvalidInput, match="5,120"):
        Apns.check_content({"body": "x" * 5100, **call})


def test_the_unread_count_has_room_for_its_digits() -> None:
    assert Apns.size({"title": "x", "badge": "unread"}) == Apns.size({"title": "x", "badge": "999999"})


@pytest.mark.parametrize("name", ["aps", "delivery_id", "link", "image"])
def test_data_may_not_replace_a_part_of_the_payload(name: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        Apns.check_content({"data": {name: "1"}})
    assert refused.value.field == f"data.{name}"


def test_the_largest_pushes_that_the_channel_allows_are_counted_with_their_blocks() -> None:
    parts = {"title": "x", "apns": {"category": "c" * 900}}
    Push().check_content(parts, TenantRules())
    assert Apns.size(parts) > 900
