"""What a shard carries: columns, so that opening it makes no object per recipient; what is common is stored once.

Not compressed: tokens and ids are random, and hardly become shorter.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from notifier.delivery.planning.quiet_hours import QuietHours
from notifier.vocabulary.people import Address

#: hexadecimal digits of one id
_HEX = 32
#: a device id that is none: the address is no device's
NO_DEVICE = "0" * _HEX

#: rendered template parts by name; a value of the part `data` is named `data.<key>`. None: it differs by recipient
SharedContent = Mapping[str, str | None]


@dataclass
class Payload:
    """The messages of one shard. `ids`, `recipients` and `devices` are columns of 32 hexadecimal digits each."""

    platform: str = ""
    ids: str = ""
    recipients: str = ""
    devices: str = ""
    addresses: list[str] = field(default_factory=list)
    #: contents, each once, and which of them each message has
    forms: list[SharedContent] = field(default_factory=list)
    form: list[int] = field(default_factory=list)
    #: part -> its text for each message ("" where the message's form says it)
    values: dict[str, list[str]] = field(default_factory=dict)
    #: quiet hours, each once, and which of them the recipient of a message has
    hours: list[QuietHours] = field(default_factory=list)
    quiet: dict[int, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.addresses)

    def key(self, i: int) -> str:
        """The delivery id's digits; their order is the order of the ids."""
        return self.ids[i * _HEX : (i + 1) * _HEX]

    def id(self, i: int) -> uuid.UUID:
        return uuid.UUID(self.key(i))

    def recipient(self, i: int) -> uuid.UUID:
        return uuid.UUID(self.recipients[i * _HEX : (i + 1) * _HEX])

    def address(self, i: int) -> Address:
        device = self.devices[i * _HEX : (i + 1) * _HEX]
        return Address(self.addresses[i], self.platform, None if device == NO_DEVICE else uuid.UUID(device))

    def content(self, i: int) -> dict[str, Any]:
        """The rendered parts of one message, as its channel wants them."""
        parts: dict[str, Any] = {}
        for name, text in self.forms[self.form[i]].items():
            value = self.values[name][i] if text is None else text
            if name.startswith("data."):
                parts.setdefault("data", {})[name[5:]] = value
            else:
                parts[name] = value
        return parts


def pack(payload: Payload) -> bytes:
    """Payload -> bytes."""
    return orjson.dumps(payload.__dict__, default=tuple, option=orjson.OPT_NON_STR_KEYS)  # QuietHours, once each


def unpack(raw: bytes | memoryview) -> Payload:
    """The payload of `pack`."""
    payload = Payload(**orjson.loads(raw))
    payload.hours = [QuietHours(*hours) for hours in payload.hours]
    payload.quiet = {int(i): n for i, n in payload.quiet.items()}
    return payload
