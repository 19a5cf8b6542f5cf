"""What a message carries to the page's service worker, as JSON (static/push/ reads it).

`title`, `body`, `link`, `image`, `data`, `delivery_id`, `badge` and `sound` as the template says, without those that
are empty; `options` is what `showNotification` takes besides. Its tag is the same for every repeat of a message, so a
browser shows one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from notifier.channels.push import PushMessage

#: keys of the block `webpush` that are no options of showNotification
_OF_THE_REQUEST = frozenset({"urgency", "topic", "image"})
#: names of the block that JavaScript spells otherwise
_JAVASCRIPT = {"require_interaction": "requireInteraction"}
_PARTS = ("title", "body", "link", "image", "badge", "sound")


def payload_of(message: PushMessage) -> bytes:
    """The plaintext of the message's body. 2 µs."""
    envelope = message.envelope
    document: dict[str, Any] = {"title": message.title, "body": message.body, "delivery_id": str(envelope.delivery_id)}
    if message.link:
        document["link"] = message.link
    if image := message.webpush.get("image") or message.image:
        document["image"] = image
    if message.data:
        document["data"] = dict(message.data)
    if message.badge:
        document["badge"] = message.badge
    if message.sound:
        document["sound"] = message.sound
    document["options"] = {"tag": envelope.collapse_key, **options_of(message.webpush)}
    return orjson.dumps(document)


def options_of(block: Mapping[str, str]) -> dict[str, Any]:
    """The block's options of showNotification, by their names in JavaScript."""
    return {_JAVASCRIPT.get(name, name): text for name, text in block.items() if text and name not in _OF_THE_REQUEST}


def size_of(parts: Mapping[str, Any]) -> int:
    """Bytes of the plaintext of a message with these parts."""
    document = {name: parts[name] for name in _PARTS if parts.get(name)}
    document["options"] = {"tag": "-" * 32, **options_of(parts.get("webpush") or {})}
    data = parts.get("data") or {}
    return len(orjson.dumps({**document, "data": dict(data), "delivery_id": "-" * 36}))
