"""FCM: what a template's blocks become, against Google's discovery document and by Apple's and the browsers' names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from notifier.channels import channel
from notifier.channels.base import Envelope
from notifier.channels.push import PushMessage
from notifier.channels.push_keys import BLOCKS
from notifier.errors import InvalidInput
from notifier.providers.apns.provider import Apns
from notifier.providers.body_template import Placeholders
from notifier.providers.common.short_pushes import is_short
from notifier.providers.fcm import Fcm
from notifier.providers.fcm.provider import TEMPLATABLE_KEYS
from notifier.sandbox.push_checks.fcm_schema import violation
from notifier.vocabulary.content import TenantRules
from tests.providers.people import a_push, sandboxed
from tests.providers.test_fcm import SCHEMA, URL

#: a value for each key of each block
FULL = {
    "android": {
        "channel_id": "orders", "icon": "bell", "color": "#ff8800", "image": "https://shop.test/a.png",
        "sound": "ping", "tag": "order-17", "click_action": "OPEN", "ticker": "Order", "visibility": "secret",
        "notification_count": "3", "notification_priority": "max", "sticky": "true", "local_only": "false",
        "vibrate": "200,1100", "default_sound": "false", "default_vibrate_timings": "false",
        "default_light_settings": "true",
        "light_settings": '{"color": {"red": 1.0}, "light_on_duration": "1s", "light_off_duration": "0.5s"}',
        "event_time": "2026-10-02T15:01:23Z", "proxy": "if_priority_lowered", "collapse_key": "orders",
        "restricted_package_name": "com.shop", "direct_boot_ok": "true", "bandwidth_constrained_ok": "true",
        "restricted_satellite_ok": "false",
    },
    "apns": {
        "subtitle": "17", "sound": "ping.caf", "critical": "true", "volume": "0.5", "thread_id": "orders",
        "category": "ORDER", "interruption_level": "time-sensitive", "relevance_score": "0.5",
        "content_available": "true", "mutable_content": "true", "target_content_id": "w", "filter_criteria": "work",
        "collapse_id": "order-17", "push_type": "alert", "event": "", "content_state": "", "attributes_type": "",
        "attributes": "", "timestamp": "", "stale_date": "", "dismissal_date": "", "payload": '{"own": [1]}',
    },
    "webpush": {
        "icon": "/icon.png", "badge": "/badge.png", "image": "https://shop.test/w.png", "tag": "order-17",
        "renotify": "true", "require_interaction": "true", "silent": "false", "vibrate": "200,100", "lang": "de",
        "dir": "ltr", "timestamp": "1790000000", "actions": '[{"action": "open", "title": "Open"}]',
        "urgency": "low", "topic": "order-17",
    },
    "fcm": {"analytics_label": "autumn", "live_activity_token": "token-1"},
}  # fmt: skip


def push_of(envelope: Envelope, parts: Mapping[str, Any]) -> PushMessage:
    message = channel("push").message(envelope, parts)
    assert isinstance(message, PushMessage)
    return message


def payload(*, address: str = "cX1:APA91b-anna", **parts: Any) -> dict[str, Any]:
    """The message that these checked parts become."""
    push = channel("push")
    push.check_parts(parts)
    push.check_content(parts, TenantRules())
    body = json.loads(sandboxed(URL).request(push_of(a_push(address).envelope, parts), "T").body)
    SCHEMA.validate(body)
    assert violation(body) is None
    message: dict[str, Any] = body["message"]
    return message


def test_every_key_has_a_value_here() -> None:
    assert {block: set(keys) for block, keys in FULL.items()} == {block: set(keys) for block, keys in BLOCKS.items()}


def test_a_full_android_block_is_what_google_documents() -> None:
    config = payload(title="a", android=FULL["android"])["android"]
    notification = config["notification"]
    assert (config["collapse_key"], config["direct_boot_ok"]) == ("orders", True)
    assert (config["restricted_package_name"], config["restricted_satellite_ok"]) == ("com.shop", False)
    assert (notification["visibility"], notification["notification_priority"]) == ("SECRET", "PRIORITY_MAX")
    assert notification["vibrate_timings"] == ["0.200s", "1.100s"]
    assert (notification["notification_count"], notification["tag"], notification["proxy"]) == (
        3, "order-17", "IF_PRIORITY_LOWERED",
    )  # fmt: skip
    assert set(FULL["android"]) - {"vibrate"} <= {*config, *notification}


def test_a_full_apns_block_is_what_apple_documents() -> None:
    config = payload(title="a", body="b", apns=FULL["apns"], fcm=FULL["fcm"])["apns"]
    assert config["headers"]["apns-collapse-id"] == "order-17"
    assert config["live_activity_token"] == "token-1"
    assert config["payload"] == {
        "own": [1],
        "aps": {
            "alert": {"title": "a", "subtitle": "17", "body": "b"},
            "sound": {"critical": 1, "name": "ping.caf", "volume": 0.5},
            "thread-id": "orders",
            "category": "ORDER",
            "interruption-level": "time-sensitive",
            "relevance-score": 0.5,
            "target-content-id": "w",
            "filter-criteria": "work",
            "content-available": 1,
            "mutable-content": 1,
        },
    }


def test_a_full_webpush_block_is_what_browsers_document() -> None:
    config = payload(title="a", link="https://shop.test/1", webpush=FULL["webpush"])["webpush"]
    assert config["headers"] == {"Topic": "order-17", "Urgency": "low"}
    assert config["fcm_options"] == {"link": "https://shop.test/1"}
    assert config["notification"] == {
        "icon": "/icon.png", "badge": "/badge.png", "image": "https://shop.test/w.png", "tag": "order-17",
        "renotify": True, "requireInteraction": True, "silent": False, "vibrate": [200, 100], "lang": "de",
        "dir": "ltr", "timestamp": 1_790_000_000_000, "actions": [{"action": "open", "title": "Open"}],
    }  # fmt: skip


def test_neutral_parts_reach_every_platform() -> None:
    message = payload(
        title="a", sound="default", badge="7", priority="high", ttl="60", image="https://shop.test/1.png",
        fcm={"analytics_label": "autumn"},
    )  # fmt: skip
    assert (message["android"]["priority"], message["android"]["ttl"]) == ("HIGH", "60s")
    assert message["android"]["notification"]["sound"] == "default"
    assert message["android"]["notification"]["notification_count"] == 7
    assert message["apns"]["payload"] == {"aps": {"sound": "default", "badge": 7, "mutable-content": 1}}
    assert message["apns"]["fcm_options"] == {"image": "https://shop.test/1.png"}
    assert (message["apns"]["headers"]["apns-priority"], message["webpush"]["headers"]["TTL"]) == ("10", "60")
    assert message["fcm_options"] == {"analytics_label": "autumn"}


@pytest.mark.parametrize(
    ("ttl", "expires_in", "seconds"),
    [("", None, None), ("60", None, "60s"), ("60", 30, "30s"), ("30", 60, "30s"), ("0", 60, "0s"), ("", 60, "60s")],
)
def test_a_push_lives_no_longer_than_its_campaign(ttl: str, expires_in: int | None, seconds: str | None) -> None:
    message = push_of(a_push(expires_in=expires_in).envelope, {"title": "a", "ttl": ttl})
    body = json.loads(sandboxed(URL).request(message, "T").body)
    assert body["message"]["android"].get("ttl") == seconds


def test_a_data_message_shows_nothing_and_wakes_the_app() -> None:
    message = payload(data={"sync": "orders"}, priority="high", android={"direct_boot_ok": "true", "icon": "bell"})
    assert "notification" not in message
    assert message["android"] == {"priority": "HIGH", "direct_boot_ok": True}
    assert message["apns"]["payload"] == {"aps": {"content-available": 1}}
    assert message["apns"]["headers"]["apns-push-type"] == "background"
    assert message["apns"]["headers"]["apns-priority"] == "5"
    assert "notification" not in message["webpush"]
    assert message["data"]["sync"] == "orders"


def test_a_live_activity_is_updated_through_fcm() -> None:
    message = payload(
        apns={"event": "update", "content_state": '{"score": 3}', "stale_date": "1790000000"},
        fcm={"live_activity_token": "abcd"},
    )
    aps = message["apns"]["payload"]["aps"]
    assert message["apns"]["headers"]["apns-push-type"] == "liveactivity"
    assert message["apns"]["live_activity_token"] == "abcd"
    assert (aps["event"], aps["content-state"], aps["stale-date"]) == ("update", {"score": 3}, 1_790_000_000)
    assert aps["timestamp"] > 1_700_000_000


@pytest.mark.parametrize(
    ("address", "field", "value"),
    [
        ("/topics/news", "topic", "news"),
        ("'news' in topics && 'sport' in topics", "condition", "'news' in topics && 'sport' in topics"),
    ],
)
def test_a_topic_and_a_condition_have_their_own_fields(address: str, field: str, value: str) -> None:
    message = payload(address=address, title="a")
    assert message[field] == value
    assert len({"token", "fid", "topic", "condition"} & set(message)) == 1
    assert sandboxed(URL).untemplatable([address]) == [0]


@pytest.mark.parametrize("token", ["/topics/news", "'news' in topics"])
def test_a_topic_is_no_token_of_a_device(token: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        Fcm.check_token(token)
    assert refused.value.field == "token"


def test_the_blocks_count_as_content() -> None:
    Fcm.check_content({"title": "a", "apns": {"subtitle": "x" * 3900}})
    with pytest.raises(InvalidInput, match="4,096"):
        Fcm.check_content({"title": "a", "apns": {"subtitle": "x" * 4100}})
    with pytest.raises(InvalidInput):
        Fcm.check_content({"title": "a" * 2000, "webpush": {"tag": "x" * 2000}, "data": {"k": "v" * 200}})


@pytest.mark.parametrize("character", ["x", "é", "😀", "\x01", '"', "<"])
@pytest.mark.parametrize("part", ["title", "body", "link", "image", "data", "sound", "apns", "webpush", "android"])
def test_a_short_push_fits_every_server(part: str, character: str) -> None:
    keys = {"data": "k", "apns": "subtitle", "webpush": "tag", "android": "ticker"}
    for characters in (300, 400, 450):
        text = character * characters
        parts: dict[str, Any] = {"title": "", part: {keys[part]: text} if part in keys else text}
        sizes = [kind.size(parts) for kind in (Fcm, Apns)]
        assert max(sizes) <= 4096 or not is_short(parts), (sizes, characters)
    assert is_short({"title": "Hello", "apns": {"subtitle": "x" * 300}})
    assert not is_short({"title": "x" * 451})


PERSONAL = [(block, key) for block, keys in TEMPLATABLE_KEYS.items() for key in keys]


@pytest.mark.parametrize(("block", "key"), PERSONAL, ids=[f"{block}.{key}" for block, key in PERSONAL])
def test_a_personal_text_of_a_block_is_a_column_of_the_body(block: str, key: str) -> None:
    provider, name = sandboxed(URL), f"{block}.{key}"
    placeholders = Placeholders.for_parts([name])
    parts = {"title": "a", block: {key: placeholders.parts[name]}}
    envelope = a_push(placeholders.address, collapse_key=placeholders.id.hex, delivery_id=placeholders.id).envelope
    template = provider.body_template(push_of(envelope, parts), placeholders, "T")
    assert name in template.columns
    text = 'a "quoted" text'
    column = {name: provider.encode(name, [text]), "address": [b"cX1:APA91b-anna"], "id": [b"i"], "key": [b"k"]}
    assert text in json.dumps(json.loads(template.bodies(column)[0]), ensure_ascii=False).replace('\\"', '"')


def test_the_unread_badge_is_a_number_in_a_body_template() -> None:
    provider = sandboxed(URL)
    placeholders = Placeholders.for_parts(["badge"])
    envelope = a_push(placeholders.address, collapse_key=placeholders.id.hex, delivery_id=placeholders.id).envelope
    parts = {"title": "a", "badge": placeholders.parts["badge"]}
    template = provider.body_template(push_of(envelope, parts), placeholders, "T")
    (body,) = template.bodies({"badge": [b"12"], "address": [b"cX1:APA91b-anna"], "id": [b"i"], "key": [b"k"]})
    message = json.loads(body)["message"]
    assert message["android"]["notification"]["notification_count"] == 12
    assert message["apns"]["payload"]["aps"]["badge"] == 12
