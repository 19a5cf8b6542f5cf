"""What the app gets beside the texts of a push: the template's `data`, and what each message carries itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from notifier.channels.push import PushMessage
from notifier.errors import InvalidInput

#: names that a message carries itself
OWN_KEYS = frozenset({"delivery_id", "link", "image"})


def app_data(message: PushMessage) -> dict[str, str]:
    """`data` of the template, `delivery_id`, and `link` where the message has one."""
    data = texts_of(message.data)
    data["delivery_id"] = str(message.envelope.delivery_id)
    if message.link:
        data["link"] = message.link
    return data


def texts_of(data: Mapping[str, Any]) -> dict[str, str]:
    """The values of `data` as texts, which is all that apps are given."""
    return {name: value if type(value) is str else str(value) for name, value in data.items()}


def check_own_keys(data: Mapping[str, Any]) -> None:
    """Raise InvalidInput for a name of `data` that the message carries itself."""
    for key in data:
        if key in OWN_KEYS:
            raise InvalidInput(f"The message carries its own {key!r}; choose another name.", field=f"data.{key}")
