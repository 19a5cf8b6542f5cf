"""Push: a note on a phone or in a browser, by platform (fcm, apns, webpush)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from notifier.channels.base import Channel, Envelope, Message
from notifier.vocabulary import Address, Person


@dataclass(frozen=True)
class PushMessage(Message):
    title: str
    body: str
    link: str = ""
    image: str = ""
    data: Mapping[str, str] = field(default_factory=dict)


class Push(Channel):
    name = "push"
    parts = {"title": True, "body": True, "link": False, "image": False, "data": False}

    def addresses(self, person: Person) -> tuple[Address, ...]:
        return tuple(Address(d.token, d.platform, d.id) for d in person.devices)

    def message(self, envelope: Envelope, content: Mapping[str, Any]) -> PushMessage:
        return PushMessage(
            envelope,
            title=content["title"],
            body=content["body"],
            link=content.get("link", ""),
            image=content.get("image", ""),
            data=content.get("data") or {},
        )
