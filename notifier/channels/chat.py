"""Chat: a direct message in a messenger, to the id that the recipient has there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from notifier.channels.base import Channel, Envelope, Message
from notifier.vocabulary.people import Address, Person

#: the recipient's attribute that holds the id: a text, or a whole number such as Telegram's
ATTRIBUTE = "chat_id"


@dataclass(frozen=True)
class ChatMessage(Message):
    text: str


class Chat(Channel):
    name = "chat"
    address_sql = f"r.attributes ->> '{ATTRIBUTE}'"
    parts = {"text": True}
    longest = {"text": 4_000}  # Telegram takes 4,096 characters, Slack 4,000
    multiline = frozenset({"text"})
    look = "chat"
    #: messengers show every message: no collapse key hides a repeat
    repeat_when_in_doubt = False
    window = 20

    def addresses(self, person: Person) -> tuple[Address, ...]:
        chat_id = person.attributes.get(ATTRIBUTE)
        if isinstance(chat_id, bool) or not isinstance(chat_id, str | int) or chat_id == "":
            return ()
        return (Address(str(chat_id)),)

    def message(self, envelope: Envelope, content: Mapping[str, Any]) -> ChatMessage:
        return ChatMessage(envelope, text=content["text"])
