"""What a message carries to the page's service worker, as JSON (static/push/ reads it).

`title`, `body`, `link`, `image`, `data`, `delivery_id`, `badge` and `sound` as the template says, without those that
are empty; `options` is what `showNotification` takes besides, by its names in JavaScript. The tag is the same for every
repeat of a message, so that a browser shows one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from notifier.channels import push_keys
from notifier.channels.push import PushMessage
from notifier.providers.common.browser_options import browser_options

BLOCK = "webpush"
#: keys of the block that are no options of showNotification
_OF_THE_REQUEST = frozenset({"urgency", "topic", "image"})
#: characters of the largest badge; the unread count is not known before the message leaves
_LONGEST_BADGE = "9" * 6


def payload_of(message: PushMessage) -> bytes:
    """The plaintext of the message's body. 2 µs."""
    envelope, block = message.envelope, message.webpush
    document: dict[str, Any] = {
        "title": message.title,
        "body": message.body,
        "link": message.link,
        "image": block.get("image") or message.image,
        "data": dict(message.data),
        "badge": message.badge,
        "sound": message.sound,
    }
    return _encode(document, block, str(envelope.delivery_id), envelope.collapse_key)


def size_of(parts: Mapping[str, Any]) -> int:
    """Bytes of the plaintext of a message with these parts."""
    block = parts.get(BLOCK) or {}
    document = {name: parts.get(name) for name in ("title", "body", "link", "data", "sound")}
    document["image"] = block.get("image") or parts.get("image")
    document["badge"] = _LONGEST_BADGE if parts.get("badge") else ""
    return len(_encode(document, block, "-" * 36, "-" * 32))


def _encode(document: Mapping[str, Any], block: Mapping[str, str], delivery_id: str, tag: str) -> bytes:
    options = {"tag": tag, **_options(block)} if block else {"tag": tag}
    filled = {name: value for name, value in document.items() if value}
    return orjson.dumps({**filled, "delivery_id": delivery_id, "options": options})


def _options(block: Mapping[str, str]) -> dict[str, Any]:
    shown = {name: _value(name, text) for name, text in block.items() if text and name not in _OF_THE_REQUEST}
    return browser_options(shown)


def _value(name: str, text: str) -> Any:
    try:
        return push_keys.typed_value(BLOCK, name, text)
    except ValueError:
        return text  # a sample text, of which only the size counts: a real one was checked
