"""What a push may say: parts, blocks and data messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from notifier.channels import channel
from notifier.channels.push_keys import BLOCKS, typed_values
from notifier.errors import InvalidInput
from notifier.vocabulary.content import TenantRules

TEXT = {"title": "Hello"}
STATE = '{"score": 3}'
#: (what the template has, the field that the error names; None: the template is good)
TEMPLATES: list[tuple[Mapping[str, Any], str | None]] = [
    ({"title": "a"}, None),
    ({"body": "a"}, None),
    ({}, "title"),
    ({"title": "", "body": ""}, "title"),
    ({"title": "", "data": {"k": "v"}}, "title"),
    ({"data": {"k": "v"}}, None),
    ({"data": {}}, "title"),
    ({"link": "https://shop.test/"}, "title"),
    ({"apns": {"content_available": "true"}}, None),
    ({"apns": {"thread_id": "x"}}, "title"),
    ({"apns": {"event": "update", "content_state": STATE}}, None),
    ({"apns": {"event": "update"}}, "apns.content_state"),
    ({"apns": {"push_type": "liveactivity"}}, "apns.event"),
    ({"apns": {"event": "start", "content_state": STATE}}, "apns.attributes_type"),
    ({"apns": {"event": "start", "content_state": STATE, "attributes_type": "A"}}, "apns.attributes"),
    ({**TEXT, "apns": {"thread-id": "x"}}, "apns.thread-id"),
    ({**TEXT, "android": {"chanel_id": "x"}}, "android.chanel_id"),
    ({**TEXT, "webpush": {"data": "x"}}, "webpush.data"),
    ({**TEXT, "fcm": {"topic": "x"}}, "fcm.topic"),
    ({**TEXT, "fcm": "label"}, "fcm"),
    ({**TEXT, "apns": ["x"]}, "apns"),
]


@pytest.mark.parametrize(("parts", "field"), TEMPLATES, ids=range(len(TEMPLATES)))
def test_a_template_says_something_in_known_words(parts: Mapping[str, Any], field: str | None) -> None:
    if field is None:
        channel("push").check_parts(parts)
        return
    with pytest.raises(InvalidInput) as refused:
        channel("push").check_parts(parts)
    assert refused.value.field == field


#: (part or key, good texts, bad texts)
VALUES: list[tuple[str, list[str], list[str]]] = [
    ("badge", ["", "0", "7", "999999", "unread"], ["-1", "1.5", "1000000", "many", "٣", "007"]),
    ("priority", ["", "high", "normal"], ["low", "HIGH"]),
    ("ttl", ["", "0", "2419200"], ["2419201", "1h", "-1"]),
    ("sound", ["", "default", "ping.caf"], ["x" * 101, "a\nb"]),
    ("android.color", ["", "#ff8800"], ["red", "#fff"]),
    ("android.visibility", ["secret"], ["hidden"]),
    ("android.notification_priority", ["max"], ["PRIORITY_MAX"]),
    ("android.sticky", ["true", "false"], ["yes", "True", "1"]),
    ("android.vibrate", ["200", "200, 100,200"], ["200;100", "0.2s", ","]),
    ("android.image", ["https://shop.test/1.png"], ["javascript:x", "//elsewhere", "img.png"]),
    ("android.event_time", ["2026-10-02T15:01:23Z", "2026-10-02T15:01:23.5+02:00"], ["yesterday", "1790000000"]),
    (
        "android.light_settings",
        ['{"color": {"red": 1}, "light_on_duration": "0.5s", "light_off_duration": "1s"}'],
        ["{}", "[]", '{"color": 1, "light_on_duration": "1s", "light_off_duration": "1s"}'],
    ),
    ("apns.interruption_level", ["time-sensitive"], ["loud"]),
    ("apns.relevance_score", ["0", "0.75", "100"], ["high", "-1", "1e3", "NaN"]),
    ("apns.collapse_id", ["a" * 64, "order 7"], ["a" * 65, "é", "a\nb", " a"]),
    ("apns.payload", ['{"a":' * 32 + "1" + "}" * 32], ['{"a":' * 33 + "1" + "}" * 33, '{"a":' * 300 + "1" + "}" * 300]),
    ("apns.content_state", ["{}"], ['{"a":' + "[" * 300 + "]" * 300 + "}"]),
    ("apns.content_state", [STATE, ""], ["{", "[]", "1", '{"a": NaN}']),
    ("apns.payload", ['{"a": [1, {"b": null}]}'], ['{"aps": {}}', '"text"']),
    ("apns.stale_date", ["1790000000"], ["tomorrow", "9999999999"]),
    ("webpush.dir", ["rtl"], ["right"]),
    (
        "webpush.actions",
        ['[{"action": "reply", "title": "Reply"}]', '[{"action": "a", "title": "b", "icon": "/c.png", "link": "/d"}]'],
        ["[]", "{}", '[{"action": "reply"}]', '["reply"]', '[{"action": "a", "title": "b", "link": "javascript:c"}]'],
    ),
    ("webpush.topic", ["order-17"], ["order 17", "x" * 33]),
    ("webpush.urgency", ["very-low"], ["urgent"]),
    ("fcm.analytics_label", ["autumn_2026"], ["autumn 2026", "x" * 51]),
]


def parts_with(name: str, text: str) -> dict[str, Any]:
    part, dot, key = name.partition(".")
    return {**TEXT, part: {key: text} if dot else text}


@pytest.mark.parametrize(("name", "good", "bad"), VALUES, ids=[name for name, _, _ in VALUES])
def test_a_value_that_no_device_understands_is_refused_by_name(name: str, good: list[str], bad: list[str]) -> None:
    for text in good:
        channel("push").check_content(parts_with(name, text), TenantRules())
    for text in bad:
        with pytest.raises(InvalidInput) as refused:
            channel("push").check_content(parts_with(name, text), TenantRules())
        assert refused.value.field == name


def test_an_error_about_a_value_lists_the_allowed_values() -> None:
    with pytest.raises(InvalidInput, match="one of: passive, active, time-sensitive, critical"):
        channel("push").check_content(parts_with("apns.interruption_level", "loud"), TenantRules())


@pytest.mark.parametrize(
    ("parts", "field"),
    [
        ({"title": "", "body": ""}, "title"),
        ({"body": "", "data": {"k": "v"}}, "body"),
        (
            {"apns": {"event": "start", "content_state": STATE, "attributes_type": "A", "attributes": ""}},
            "apns.attributes",
        ),
        ({"title": "", "body": "b"}, None),
        ({"data": {"k": ""}}, None),
    ],
)
def test_a_push_does_not_become_silent_by_its_variables(parts: dict[str, Any], field: str | None) -> None:
    if field is None:
        channel("push").check_whole(parts)
        return
    with pytest.raises(InvalidInput) as refused:
        channel("push").check_whole(parts)
    assert refused.value.field == field


def test_typed_values_are_what_a_request_holds() -> None:
    apns = {
        "critical": "true",
        "volume": "0.5",
        "subtitle": "x",
        "stale_date": "17",
        "attributes": STATE,
        "category": "",
    }
    assert typed_values("apns", apns) == {
        "critical": True, "volume": 0.5, "subtitle": "x", "stale_date": 17, "attributes": {"score": 3},
    }  # fmt: skip
    assert typed_values("webpush", {"vibrate": "200, 100"}) == {"vibrate": [200, 100]}


def test_each_key_takes_a_value() -> None:
    """A key whose kind refuses everything could not be used."""
    samples = [STATE, "true", "1", "#aabbcc", "https://x.test/", "2026-10-02T15:01:23Z", "alert", "update", "allow"]
    samples += [text for _, good, _ in VALUES for text in good if text] + ["active", "public", "auto"]
    for keys in BLOCKS.values():
        for key in keys.values():
            assert any(map(key.kind.accepts, samples)), key.name
