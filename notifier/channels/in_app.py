"""In-app: a stored message in the recipient's inbox, shown the moment it is stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from notifier.channels.base import Channel, Envelope, Message
from notifier.channels.links import check_link
from notifier.errors import InvalidInput
from notifier.vocabulary.content import TenantRules
from notifier.vocabulary.people import Address, Person


@dataclass(frozen=True)
class InAppMessage(Message):
    title: str
    body: str
    link: str = ""
    data: Mapping[str, str] = field(default_factory=dict)


class InApp(Channel):
    name = "in_app"
    hides_repeats = True
    address_sql = "r.external_id"
    parts = {"title": True, "body": True, "link": False, "data": False}
    inspected = frozenset({"link"})
    multiline = frozenset({"body"})
    advanced = frozenset({"data"})
    look = "card"
    longest = {"title": 500, "link": 2000}  # the sizes of the inbox's columns

    def addresses(self, person: Person) -> tuple[Address, ...]:
        return (Address(person.external_id),)

    def check_address(self, address: str, is_recipient: Callable[[str], bool]) -> str:
        if not is_recipient(address):
            raise InvalidInput(
                "An in-app address is the external id of a recipient, and there is no recipient"
                f" {address[:80]!r}. Give your own id of the person; an email address or a number belongs to another"
                " channel.",
                field="address",
            )
        return address

    def message(self, envelope: Envelope, content: Mapping[str, Any]) -> InAppMessage:
        return InAppMessage(
            envelope,
            title=content["title"],
            body=content["body"],
            link=content.get("link", ""),
            data=content.get("data") or {},
        )

    def check_content(self, parts: Mapping[str, Any], rules: TenantRules) -> None:
        super().check_content(parts, rules)
        check_link(parts.get("link", ""), rules.schemes)
