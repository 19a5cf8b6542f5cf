"""In-app: a stored message in the recipient's inbox, shown the moment it is stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from notifier.channels.base import Channel, Envelope, Message
from notifier.vocabulary import Address, Person


@dataclass(frozen=True)
class InAppMessage(Message):
    title: str
    body: str
    link: str = ""
    data: Mapping[str, str] = field(default_factory=dict)


class InApp(Channel):
    name = "in_app"
    parts = {"title": True, "body": True, "link": False, "data": False}

    def addresses(self, person: Person) -> tuple[Address, ...]:
        return (Address(person.external_id),)

    def message(self, envelope: Envelope, content: Mapping[str, Any]) -> InAppMessage:
        return InAppMessage(
            envelope,
            title=content["title"],
            body=content["body"],
            link=content.get("link", ""),
            data=content.get("data") or {},
        )
