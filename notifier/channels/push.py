"""Push: a notification on a phone or in a browser, by platform (fcm, apns, webpush)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from notifier.channels.base import Channel, Envelope, Message
from notifier.channels.links import check_image, check_link
from notifier.errors import InvalidInput
from notifier.values.push_token import is_push_token
from notifier.vocabulary.content import TenantRules
from notifier.vocabulary.people import Address, Person

#: an email address or a phone number, which `is_push_token` would accept: no platform has such tokens
_OF_ANOTHER_CHANNEL = re.compile(r"[^@/]+@[^@/]+|\+?[0-9]{6,15}")


@dataclass(frozen=True)
class PushMessage(Message):
    title: str
    body: str
    link: str = ""
    image: str = ""
    data: Mapping[str, str] = field(default_factory=dict)
    sound: str = ""
    #: digits: the number on the app's icon; empty: it stays as it is
    badge: str = ""
    #: what only one kind of device understands, by the names that docs/channels/push.md lists
    android: Mapping[str, str] = field(default_factory=dict)
    apns: Mapping[str, str] = field(default_factory=dict)
    webpush: Mapping[str, str] = field(default_factory=dict)
    fcm: Mapping[str, str] = field(default_factory=dict)


class Push(Channel):
    name = "push"
    parts = {"title": True, "body": True, "link": False, "image": False, "data": False}
    inspected = frozenset({"link", "image"})

    def addresses(self, person: Person) -> tuple[Address, ...]:
        return tuple(Address(d.token, d.platform, d.id) for d in person.devices)

    def check_address(self, address: str, is_recipient: Callable[[str], bool]) -> str:
        if not is_push_token(address) or _OF_ANOTHER_CHANNEL.fullmatch(address):
            raise InvalidInput(
                "A push address is a device's token: 8 to 1024 visible ASCII characters, not a recipient's id or email"
                " address.",
                field="address",
            )
        return address

    def message(self, envelope: Envelope, content: Mapping[str, Any]) -> PushMessage:
        return PushMessage(
            envelope,
            title=content["title"],
            body=content["body"],
            link=content.get("link", ""),
            image=content.get("image", ""),
            data=content.get("data") or {},
        )

    def check_content(self, parts: Mapping[str, Any], rules: TenantRules) -> None:
        super().check_content(parts, rules)
        check_link(parts.get("link", ""), rules.schemes)
        check_image(parts.get("image", ""))
