"""The messages that Expo's push service accepts: fields and their types.

The fields are those of the documentation and of the types of Expo's own client (expo-server-sdk 7.2).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

TOKEN = re.compile(r"Expo(nent)?PushToken\[[^\]]+\]")
_PRIORITIES = ("default", "normal", "high")
_INTERRUPTION_LEVELS = ("active", "critical", "passive", "time-sensitive")


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _is_sound(value: Any) -> bool:
    if not isinstance(value, dict):
        return value is None or isinstance(value, str)
    checks: Mapping[str, Callable[[Any], bool]] = {"critical": _is_flag, "name": _is_text, "volume": _is_number}
    return all(name in checks and checks[name](inner) for name, inner in value.items())


def _is_rich_content(value: Any) -> bool:
    return isinstance(value, dict) and all(name == "image" and _is_text(inner) for name, inner in value.items())


def _is_to(value: Any) -> bool:
    tokens = value if isinstance(value, list) else [value]
    return bool(tokens) and all(isinstance(token, str) and TOKEN.fullmatch(token) for token in tokens)


FIELDS: Mapping[str, Callable[[Any], bool]] = {
    "to": _is_to,
    "data": _is_object,
    "sound": _is_sound,
    "richContent": _is_rich_content,
    "priority": _PRIORITIES.__contains__,
    "interruptionLevel": _INTERRUPTION_LEVELS.__contains__,
    **dict.fromkeys(("ttl", "expiration", "badge"), _is_count),
    "relevanceScore": _is_number,
    **dict.fromkeys(("mutableContent", "contentAvailable", "_contentAvailable"), _is_flag),
    **dict.fromkeys(("title", "subtitle", "body", "channelId", "icon", "categoryId"), _is_text),
    **dict.fromkeys(("collapseId", "tag", "threadId", "targetContentId", "filterCriteria"), _is_text),
}


def violation(messages: list[Any]) -> str:
    """The first fault for which Expo would refuse the request; empty for a good one."""
    if not messages:
        return '"value" must contain at least 1 items'
    for number, message in enumerate(messages):
        if not isinstance(message, dict):
            return f'"[{number}]" must be of type object'
        if "to" not in message:
            return f'"[{number}].to" is required'
        for name, value in message.items():
            if name not in FIELDS:
                return f'"[{number}].{name}" is not allowed'
            if not FIELDS[name](value):
                return f'"[{number}].{name}" has a value that is not allowed'
    return ""
