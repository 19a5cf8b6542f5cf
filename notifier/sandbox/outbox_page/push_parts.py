"""What a push carries besides its texts, read from its source when a person looks: sound, badge, data. Each service has
names of its own for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from notifier.sandbox.outbox import OutboxItem

#: data that every message carries, shown elsewhere on the page
_OWN = frozenset({"delivery_id", "link", "image"})
#: service -> where the sound, the badge and the data stand in its JSON; the first place that holds something counts
_PLACES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "fcm": {
        "sound": ("message.android.notification.sound", "message.apns.payload.aps.sound"),
        "badge": ("message.apns.payload.aps.badge", "message.android.notification.notification_count"),
        "data": ("message.data",),
    },
    "apns": {"sound": ("aps.sound.name", "aps.sound"), "badge": ("aps.badge",), "data": ("",)},
    "webpush": {"sound": ("sound",), "badge": ("badge",), "data": ("data",)},
    "expo": {"sound": ("sound.name", "sound"), "badge": ("badge",), "data": ("data",)},
    "hms": {
        "sound": ("message.android.notification.sound",),
        "badge": ("message.android.notification.badge.set_num", "message.android.notification.badge.add_num"),
        "data": ("message.data",),
    },
}
#: keys beside an APNs payload's data
_APS = frozenset({"aps"})


def push_parts(item: OutboxItem) -> dict[str, Any]:
    """`sound` and `badge` as texts, empty where the push has none; `data` as pairs; `topic`: whether the address is a
    topic or a condition of FCM."""
    document = _document(item.source)
    places = _PLACES.get(item.service, {})
    parts = {name: next(filter(None, (_at(document, path) for path in paths)), "") for name, paths in places.items()}
    data = _mapping(parts.get("data"))
    return {
        "sound": _shown(parts.get("sound", "")),
        "badge": _shown(parts.get("badge", "")),
        "data": [[name, _shown(value)] for name, value in data.items() if name not in _OWN | _APS],
        "topic": item.service == "fcm" and (item.address.startswith("/topics/") or " in topics" in item.address),
    }


def _document(source: bytes) -> Any:
    try:
        return orjson.loads(source)
    except orjson.JSONDecodeError:
        return {}


def _at(document: Any, path: str) -> Any:
    """The value at a path of names joined by dots; None where there is none."""
    for name in path.split(".") if path else ():
        document = document.get(name) if isinstance(document, dict) else None
    return document


def _mapping(value: Any) -> dict[str, Any]:
    """An object, or the object in a text of JSON (HMS)."""
    if isinstance(value, str):
        value = _document(value.encode())
    return value if isinstance(value, dict) else {}


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()
