"""The messages that Huawei Push Kit accepts: fields, their types and the values that Huawei documents.

https://developer.huawei.com/consumer/en/doc/HMSCore-References/https-send-api-0000001050986197
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

_DURATION = re.compile(r"[0-9]+[sS]?|[0-9]+\.[0-9]{1,9}[sS]?")
_COLOR = re.compile(r"#[0-9A-Fa-f]{6}")
_LONGEST_TTL = 15 * 86_400


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _is_integer(low: int, high: int) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _is_one_of(*texts: str) -> Callable[[Any], bool]:
    return lambda value: value in texts


def _is_url(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("https://")


def _is_ttl(value: Any) -> bool:
    seconds = value.rstrip("sS") if isinstance(value, str) and _DURATION.fullmatch(value) else "0"
    return 0 < float(seconds) <= _LONGEST_TTL


def _is_color(value: Any) -> bool:
    return isinstance(value, str) and _COLOR.fullmatch(value) is not None


#: a check, or the fields of an object
Shape = Callable[[Any], bool] | Mapping[str, "Shape"]

_NOTIFICATION: Mapping[str, Shape] = {"title": _is_text, "body": _is_text, "image": _is_url}
_ANDROID_NOTIFICATION: Mapping[str, Shape] = {
    **_NOTIFICATION,
    **dict.fromkeys(("icon", "sound", "tag", "channel_id", "notify_summary", "group", "ticker", "when"), _is_text),
    **dict.fromkeys(("body_loc_key", "title_loc_key", "big_title", "big_body", "profile_id"), _is_text),
    **dict.fromkeys(("body_loc_args", "title_loc_args", "vibrate_config", "inbox_content"), _are_texts),
    **dict.fromkeys(("default_sound", "use_default_vibrate", "use_default_light", "foreground_show"), _is_flag),
    "color": _is_color,
    "click_action": {"type": _is_integer(1, 3), "intent": _is_text, "url": _is_url, "action": _is_text},
    "badge": {"add_num": _is_integer(1, 99), "class": _is_text, "set_num": _is_integer(0, 99)},
    "importance": _is_one_of("LOW", "NORMAL", "HIGH"),
    "visibility": _is_one_of("VISIBILITY_UNSPECIFIED", "PUBLIC", "SECRET", "PRIVATE"),
    "style": _is_integer(0, 3),
    "notify_id": _is_integer(-1, 2**31),
    "buttons": lambda value: isinstance(value, list) and len(value) <= 3,
    "light_settings": _is_object,
    "multi_lang_key": _is_object,
}
_ANDROID: Mapping[str, Shape] = {
    **dict.fromkeys(("bi_tag", "category", "data", "receipt_id"), _is_text),
    "collapse_key": _is_integer(-1, 100),
    "fast_app_target": _is_integer(1, 2),
    "target_user_type": _is_integer(0, 1),
    "ttl": _is_ttl,
    "urgency": _is_one_of("HIGH", "NORMAL"),
    "notification": _ANDROID_NOTIFICATION,
}
_MESSAGE: Mapping[str, Shape] = {
    **dict.fromkeys(("data", "topic", "condition"), _is_text),
    "notification": _NOTIFICATION,
    "android": _ANDROID,
    "apns": _is_object,
    "webpush": _is_object,
    "token": _are_texts,
}
_REQUEST: Mapping[str, Shape] = {"validate_only": _is_flag, "message": _MESSAGE, "review": _is_object}
#: what `click_action` needs for each type
_CLICK_NEEDS = {1: ("intent", "action"), 2: ("url",), 3: ()}


def violation(document: Any) -> str:
    """The first fault for which Huawei would refuse the request; empty for a good one."""
    if fault := _misfit(document, _REQUEST, ""):
        return fault
    message = document.get("message")
    if not message:
        return "message is required"
    if not message.get("token"):
        return "the number of tokens is 0"
    if "notification" not in message:
        return "" if message.get("data") else "the message has neither a notification nor data"
    shown = message["notification"]
    if not shown.get("title") or not shown.get("body"):
        return "title and body are required"
    action = ((message.get("android") or {}).get("notification") or {}).get("click_action")
    if not action or "type" not in action:
        return "android.notification.click_action.type is required"
    needs = _CLICK_NEEDS[action["type"]]
    return "" if not needs or any(action.get(name) for name in needs) else f"click_action needs {' or '.join(needs)}"


def _misfit(value: Any, shape: Shape, at: str) -> str:
    if not isinstance(shape, Mapping):
        return "" if shape(value) else f"{at} has a value that is not allowed"
    if not isinstance(value, dict):
        return f"{at or 'the body'} must be an object"
    for name, inner in value.items():
        path = f"{at}.{name}" if at else name
        if name not in shape:
            return f"{path} is not known"
        if fault := _misfit(inner, shape[name], path):
            return fault
    return ""
