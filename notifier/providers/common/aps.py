"""The `aps` dictionary of a push, for every server that reaches Apple's devices: APNs itself, and FCM's `apns` block.

https://developer.apple.com/documentation/usernotifications/generating-a-remote-notification
https://developer.apple.com/documentation/activitykit/starting-and-updating-live-activities-with-activitykit-push-notifications
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from notifier.channels.push import PushMessage

ALERT, BACKGROUND, LIVE_ACTIVITY = "alert", "background", "liveactivity"
#: key of the template's `apns` block -> Apple's key in `aps`
KEYS: Mapping[str, str] = {
    "thread_id": "thread-id",
    "category": "category",
    "interruption_level": "interruption-level",
    "relevance_score": "relevance-score",
    "target_content_id": "target-content-id",
    "filter_criteria": "filter-criteria",
    "event": "event",
    "content_state": "content-state",
    "attributes_type": "attributes-type",
    "attributes": "attributes",
    "timestamp": "timestamp",
    "stale_date": "stale-date",
    "dismissal_date": "dismissal-date",
}


def push_type(message: PushMessage, block: Mapping[str, Any]) -> str:
    """Apple's push type. `block`: the typed values of the message's `apns` block. A message without a text is silent:
    it wakes the app in the background."""
    if kind := block.get("push_type"):
        return str(kind)
    if block.get("event"):
        return LIVE_ACTIVITY
    return BACKGROUND if message.is_data else ALERT


def aps(message: PushMessage, block: Mapping[str, Any]) -> dict[str, Any]:
    """The dictionary `aps`. `block`: as in `push_type`."""
    kind = push_type(message, block)
    values = {apple: block[name] for name, apple in KEYS.items() if name in block}
    if kind == LIVE_ACTIVITY:
        values.setdefault("timestamp", int(time.time()))
    if kind != BACKGROUND:
        _show(values, message, block, kind)
    if kind == BACKGROUND or block.get("content_available"):
        values["content-available"] = 1
    # an image is fetched by the app's service extension, which Apple starts for mutable pushes only
    if block.get("mutable_content", bool(message.image) and kind == ALERT):
        values["mutable-content"] = 1
    return values


def _show(values: dict[str, Any], message: PushMessage, block: Mapping[str, Any], kind: str) -> None:
    """What the recipient sees and hears. The sound of a Live Activity is a part of its alert."""
    texts = {"title": message.title, "subtitle": block.get("subtitle"), "body": message.body}
    alert: dict[str, Any] = {name: text for name, text in texts.items() if text}
    sound = _sound(message, block)
    if alert:
        values["alert"] = alert
    if sound:
        (alert if kind == LIVE_ACTIVITY else values)["sound"] = sound
    if message.badge and kind != LIVE_ACTIVITY:
        values["badge"] = message.badge_number


def _sound(message: PushMessage, block: Mapping[str, Any]) -> str | dict[str, Any]:
    """The name of a sound; for a critical alert a dictionary."""
    name: str = block.get("sound") or message.sound
    if not block.get("critical"):
        return name
    return {"critical": 1, "name": name or "default", "volume": block.get("volume", 1.0)}
