"""The request that FCM v1 accepts, by its discovery document (revision 20261023): unknown names are refused.

The shape is written out here, because the document comes with a development dependency; a test compares the two.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

#: "s" string, "b" boolean, "i" integer, "d" duration, "ss" list of strings, "m" map of strings, "o" any object
Shape = str | Mapping[str, "Shape"]

_ANALYTICS: Mapping[str, Shape] = {"analyticsLabel": "s"}
_LIGHTS: Mapping[str, Shape] = {"color": "o", "lightOnDuration": "d", "lightOffDuration": "d"}
_ANDROID_NOTIFICATION: Mapping[str, Shape] = {
    **dict.fromkeys(
        ("title", "body", "icon", "color", "sound", "tag", "clickAction", "bodyLocKey", "titleLocKey"), "s"
    ),
    **dict.fromkeys(("channelId", "ticker", "eventTime", "image", "notificationPriority", "visibility", "proxy"), "s"),
    **dict.fromkeys(("sticky", "localOnly", "defaultSound", "defaultVibrateTimings", "defaultLightSettings"), "b"),
    "bypassProxyNotification": "b",
    "bodyLocArgs": "ss",
    "titleLocArgs": "ss",
    "vibrateTimings": "ss",
    "notificationCount": "i",
    "lightSettings": _LIGHTS,
}
_ANDROID: Mapping[str, Shape] = {
    "collapseKey": "s",
    "priority": "s",
    "ttl": "d",
    "restrictedPackageName": "s",
    "data": "m",
    "notification": _ANDROID_NOTIFICATION,
    "fcmOptions": _ANALYTICS,
    "directBootOk": "b",
    "bandwidthConstrainedOk": "b",
    "restrictedSatelliteOk": "b",
}
_MESSAGE: Mapping[str, Shape] = {
    "name": "s",
    "data": "m",
    "notification": {"title": "s", "body": "s", "image": "s"},
    "android": _ANDROID,
    "androidV2": "o",
    "webpush": {
        "headers": "m",
        "data": "m",
        "notification": "o",
        "fcmOptions": {"link": "s", "analyticsLabel": "s"},
    },
    "apns": {
        "headers": "m",
        "payload": "o",
        "fcmOptions": {"analyticsLabel": "s", "image": "s"},
        "liveActivityToken": "s",
    },
    "fcmOptions": _ANALYTICS,
    **dict.fromkeys(("token", "fid", "topic", "condition"), "s"),
}
REQUEST: Mapping[str, Shape] = {"validateOnly": "b", "message": _MESSAGE}
TARGETS = ("token", "fid", "topic", "condition")
RESERVED = ("from", "message_type")
DURATION = re.compile(r"\d+(\.\d{1,9})?s")


def _snake(shape: Shape) -> Shape:
    """proto JSON accepts lowerCamelCase and the proto's own snake_case."""
    if isinstance(shape, str):
        return shape
    both: dict[str, Shape] = {}
    for name, inner in shape.items():
        both[name] = both[re.sub(r"([A-Z])", lambda m: "_" + m.group().lower(), name)] = _snake(inner)
    return both


_BOTH = _snake(REQUEST)


def violation(document: Any) -> tuple[str, str] | None:
    """The first fault for which FCM would refuse the request, as (field, why); None for a good request."""
    if fault := _misfit(document, _BOTH, ""):
        return fault
    message = document.get("message")
    if not message:
        return "message", "Message is required."
    if sum(1 for target in TARGETS if message.get(target)) != 1:
        return "message", "Exactly one of token, fid, topic or condition is required."
    for key in message.get("data") or ():
        if key in RESERVED or key.startswith(("google.", "gcm.notification.")):
            return "message.data", f"Invalid data payload key: {key}"
    return None


def _misfit(value: Any, shape: Shape, at: str) -> tuple[str, str] | None:
    if isinstance(shape, str):
        return None if _IS[shape](value) else (at, f"Invalid value at '{at}'")
    if not isinstance(value, dict):
        return at, f"Invalid value at '{at}', an object is required"
    for name, inner in value.items():
        path = f"{at}.{name}" if at else name
        if name not in shape:
            return at, f"Invalid JSON payload received. Unknown name \"{name}\" at '{at}': Cannot find field."
        if inner is not None and (fault := _misfit(inner, shape[name], path)):
            return fault
    return None


def _is_map(value: Any) -> bool:
    return isinstance(value, dict) and all(type(v) is str for v in value.values())


_IS: Mapping[str, Callable[[Any], bool]] = {
    "s": lambda v: type(v) is str,
    "b": lambda v: type(v) is bool,
    "i": lambda v: type(v) is int,
    "d": lambda v: type(v) is str and DURATION.fullmatch(v) is not None,
    "ss": lambda v: isinstance(v, list) and all(type(each) is str for each in v),
    "m": _is_map,
    "o": lambda v: isinstance(v, dict),
}
