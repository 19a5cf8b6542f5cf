"""SMS: a short text to a phone number."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from notifier.channels.base import Channel, Envelope, Message
from notifier.errors import InvalidInput
from notifier.values.sms_text import count_segments, plain, transliterate
from notifier.vocabulary.content import TenantRules
from notifier.vocabulary.people import Address, Person


@dataclass(frozen=True)
class SmsMessage(Message):
    text: str


class Sms(Channel):
    name = "sms"
    address_sql = "r.phone"
    parts = {"text": True}
    finished = inspected = frozenset({"text"})
    segmented = True
    multiline = frozenset({"text"})
    look = "bubble"
    #: no collapse key hides a repeat from a phone, and each one costs
    repeat_when_in_doubt = False
    window = 20

    def addresses(self, person: Person) -> tuple[Address, ...]:
        return (Address(person.phone),) if person.phone else ()

    def check_address(self, address: str, is_recipient: Callable[[str], bool]) -> str:
        import phonenumbers  # 3 MB, which only a page where a person types needs

        refusal = InvalidInput("A phone number has its country code and no blanks: +14155550100.", field="address")
        try:
            number = phonenumbers.parse(address)
        except phonenumbers.NumberParseException:
            raise refusal from None
        if "".join(address.split()) != address or not phonenumbers.is_possible_number(number):
            raise refusal
        return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)

    def finish(self, text: str, rules: TenantRules) -> str:
        text = plain(text)
        return transliterate(text) if rules.sms_transliterate else text

    def segments(self, content: Mapping[str, Any]) -> int:
        return count_segments(content["text"]).number

    def check_content(self, parts: Mapping[str, Any], rules: TenantRules) -> None:
        super().check_content(parts, rules)
        segments = count_segments(parts.get("text", ""))
        if segments.number > rules.sms_segments:
            raise InvalidInput(
                f"The text takes {segments.number} SMS segments ({segments.encoding}), and the tenant allows"
                f" {rules.sms_segments}: shorten the text, or raise “SMS segments” of the tenant.",
                field="text",
                code="too_long",
            )

    def message(self, envelope: Envelope, content: Mapping[str, Any]) -> SmsMessage:
        return SmsMessage(envelope, text=content["text"])
