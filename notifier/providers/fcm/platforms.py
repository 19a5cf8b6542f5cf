"""The blocks of an FCM message for one kind of device each: `android`, `apns` and `webpush`.

Each block carries the collapse key, urgency and lifetime of the message, and what the template's block of the same name
says. A message without such blocks passes no code for them: most messages are plain.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from notifier.channels.push import LONGEST_TTL, PushMessage
from notifier.channels.push_keys import typed_values
from notifier.providers.common.aps import ALERT, BACKGROUND, aps, push_type
from notifier.providers.common.browser_options import browser_options
from notifier.providers.common.collapse_keys import collapse_id, topic

#: keys of the template's `android` block that belong to FCM's AndroidConfig; the other keys belong to the notification
ANDROID_CONFIG = frozenset({
    "collapse_key", "restricted_package_name", "direct_boot_ok", "bandwidth_constrained_ok", "restricted_satellite_ok",
})  # fmt: skip
#: keys of the template's `android` block with another name or spelling in FCM's AndroidNotification
ANDROID_SPELLED: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "vibrate": ("vibrate_timings", lambda times: [f"{time // 1000}.{time % 1000:03}s" for time in times]),
    "visibility": ("visibility", str.upper),
    "proxy": ("proxy", str.upper),
    "notification_priority": ("notification_priority", lambda word: f"PRIORITY_{word.upper()}"),
}
WEB_HEADERS = frozenset({"urgency", "topic"})


def android(message: PushMessage, ttl: int | None, urgent: bool) -> dict[str, Any]:
    config: dict[str, Any] = {"priority": "HIGH" if urgent else "NORMAL"}
    if not message.is_data:  # a data message with a notification would be shown
        notification: dict[str, Any] = {"tag": message.envelope.collapse_key}
        if message.sound:
            notification["sound"] = message.sound
        if message.badge:
            notification["notification_count"] = message.badge_number
        config["notification"] = notification
    if ttl is not None:
        config["ttl"] = f"{ttl}s"
    if message.android:
        _add_android(config, message)
    return config


def _add_android(config: dict[str, Any], message: PushMessage) -> None:
    for name, value in typed_values("android", message.android).items():
        if name in ANDROID_CONFIG:
            config[name] = value
        elif "notification" in config:
            spelled, spell = ANDROID_SPELLED.get(name, (name, None))
            config["notification"][spelled] = spell(value) if spell else value


def apns(message: PushMessage, ttl: int | None, urgent: bool) -> dict[str, Any]:
    headers = {
        "apns-collapse-id": collapse_id(message.envelope.collapse_key),
        "apns-priority": "10" if urgent else "5",
    }
    if ttl is not None:
        headers["apns-expiration"] = str(int(time.time()) + ttl)
    config: dict[str, Any] = {"headers": headers}
    if message.apns or message.sound or message.badge or message.image or message.is_data:
        _add_apns(config, message)
    if message.fcm and (token := message.fcm.get("live_activity_token")):
        config["live_activity_token"] = token
    return config


def _add_apns(config: dict[str, Any], message: PushMessage) -> None:
    headers, block = config["headers"], typed_values("apns", message.apns)
    kind = push_type(message, block)
    if kind != ALERT:  # FCM writes this one itself
        headers["apns-push-type"] = kind
    if kind == BACKGROUND:
        headers["apns-priority"] = "5"  # Apple refuses any other
    if "collapse_id" in block:
        headers["apns-collapse-id"] = block["collapse_id"]
    values = aps(message, block)
    if kind == ALERT and "subtitle" not in block:
        values.pop("alert", None)  # FCM takes title and body from `notification`
    payload = {**block.get("payload", {}), "aps": values} if values else block.get("payload")
    if payload:
        config["payload"] = payload
    if message.image:
        config["fcm_options"] = {"image": message.image}


def webpush(message: PushMessage, ttl: int | None, urgent: bool) -> dict[str, Any]:
    headers = {"Topic": topic(message.envelope.collapse_key), "Urgency": "high" if urgent else "normal"}
    if ttl is not None:
        headers["TTL"] = str(ttl)
    config: dict[str, Any] = {"headers": headers}
    if message.link.startswith("https://"):  # FCM refuses any other
        config["fcm_options"] = {"link": message.link}
    if message.webpush:
        _add_webpush(config, message)
    return config


def _add_webpush(config: dict[str, Any], message: PushMessage) -> None:
    block = typed_values("webpush", message.webpush)
    for name in WEB_HEADERS & block.keys():
        config["headers"][name.capitalize()] = block.pop(name)
    if message.is_data or not block:
        return
    notification = browser_options(block)
    notification.setdefault("tag", message.envelope.collapse_key)
    config["notification"] = notification


def lifetime(message: PushMessage) -> int | None:
    """Seconds that the servers may keep the message."""
    seconds = message.lifetime
    return None if seconds is None else max(0, min(seconds, LONGEST_TTL))
