"""The body of a push for APNs: `aps`, and beside it what the app gets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from notifier.channels.push import PushMessage
from notifier.errors import InvalidInput
from notifier.providers.common.app_data import check_own_keys, texts_of
from notifier.providers.common.aps import aps

LARGEST, LARGEST_VOIP = 4096, 5120  #: bytes
VOIP = "voip"


def payload(message: PushMessage, block: Mapping[str, Any]) -> bytes:
    """The JSON document. `block`: the typed values of the message's `apns` block."""
    document: dict[str, Any] = {"aps": aps(message, block)}
    document |= block.get("payload") or {}
    document |= texts_of(message.data)
    document["delivery_id"] = str(message.envelope.delivery_id)
    if message.link:
        document["link"] = message.link
    if message.image:
        document["image"] = message.image
    return orjson.dumps(document)


def check_names(data: Mapping[str, Any]) -> None:
    """Raise InvalidInput for a name of `data` that would replace a part of the payload."""
    if "aps" in data:
        raise InvalidInput("APNs reserves the data key 'aps'; choose another name.", field="data.aps")
    check_own_keys(data)
