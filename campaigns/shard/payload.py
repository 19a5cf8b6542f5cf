"""The messages of a shard, as columns: opening a payload makes no object per recipient. Shared content is stored once.

The payload is not compressed: tokens and ids are random, and hardly become shorter.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from notifier.delivery.planning.closed_hours import ClosedHours
from notifier.vocabulary.people import Address

#: hexadecimal digits of one id
_HEX = 32
#: stands for a device id where the address belongs to no device
NO_DEVICE = "0" * _HEX

#: rendered template parts by name; a value of an object such as `data` is named `data.<key>`. None: the text is
#: personal. A list: constant text, the name of a column of personal texts, constant text, and so on
SharedContent = Mapping[str, str | Sequence[str] | None]


@dataclass
class Payload:
    """The messages of one shard. `ids`, `recipients` and `devices` are columns of 32 hexadecimal digits each."""

    platform: str = ""
    ids: str = ""
    recipients: str = ""
    devices: str = ""
    addresses: list[str] = field(default_factory=list)
    #: shared contents, each once, and the index of each message's content
    contents: list[SharedContent] = field(default_factory=list)
    content_index: list[int] = field(default_factory=list)
    #: column -> its text for each message ("" where the message's shared content has no such column). The column of a
    #: part without constant text is named as the part
    personal_texts: dict[str, list[str]] = field(default_factory=dict)
    #: the body of each message in base64, where the provider makes bodies beforehand (Provider.prepare); else empty
    prepared: list[str] = field(default_factory=list)
    #: closed hours, each once, and message -> the index of its recipient's closed hours
    closed_hours: list[ClosedHours] = field(default_factory=list)
    closed_index: dict[int, int] = field(default_factory=dict)
    #: messages that found a window of a frequency cap full while arming. All others hold their places from the first
    #: until the second of `cap_window`, Unix times; empty: arming took no places
    over_cap: list[int] = field(default_factory=list)
    cap_window: list[float] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.addresses)

    def key(self, i: int) -> str:
        """The digits of the delivery id; they sort as the ids do."""
        return self.ids[i * _HEX : (i + 1) * _HEX]

    def id(self, i: int) -> uuid.UUID:
        return uuid.UUID(self.key(i))

    def recipient(self, i: int) -> uuid.UUID:
        return uuid.UUID(self.recipients[i * _HEX : (i + 1) * _HEX])

    def address(self, i: int) -> Address:
        device = self.devices[i * _HEX : (i + 1) * _HEX]
        return Address(self.addresses[i], self.platform, None if device == NO_DEVICE else uuid.UUID(device))

    def content(self, i: int) -> dict[str, Any]:
        """The rendered parts of one message, as its channel expects them."""
        parts: dict[str, Any] = {}
        for name in self.contents[self.content_index[i]]:
            value = self.text(name, i)
            part, dot, key = name.partition(".")
            if dot:
                parts.setdefault(part, {})[key] = value
            else:
                parts[name] = value
        return parts

    def text(self, name: str, i: int) -> str:
        """The text of a part of message i."""
        text = self.contents[self.content_index[i]][name]
        if isinstance(text, str):
            return text
        if text is None:
            return self.personal_texts[name][i]
        return "".join([self.personal_texts[piece][i] if n % 2 else piece for n, piece in enumerate(text)])


def column_names(part: str, text: str | Sequence[str] | None) -> Sequence[str]:
    """The columns of personal texts that a part of a shared content has."""
    if text is None:
        return (part,)
    return () if isinstance(text, str) else text[1::2]


def pack(payload: Payload) -> bytes:
    """The payload as bytes."""
    return orjson.dumps(payload.__dict__, default=tuple, option=orjson.OPT_NON_STR_KEYS)  # tuple: for ClosedHours


def unpack(raw: bytes | memoryview) -> Payload:
    """The payload that `pack` packed."""
    payload = Payload(**orjson.loads(raw))
    payload.closed_hours = [ClosedHours(*hours).with_week_of_tuples() for hours in payload.closed_hours]
    payload.closed_index = {int(i): n for i, n in payload.closed_index.items()}
    return payload
