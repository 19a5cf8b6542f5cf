"""The settings that providers of SMS share: the sender of a message by country, and the price of a segment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from notifier.errors import InvalidInput

PRICE = "price_per_segment"
#: a phone number in E.164, a short code, or an alphanumeric id: 1 to 11 characters, among them a letter (3GPP TS 23.040
#: §9.1.2.5 leaves room for 11)
SENDER = re.compile(r"\+[1-9]\d{6,14}|\d{3,8}|(?=.*[A-Za-z])[A-Za-z0-9 _&+.-]{1,11}")


@dataclass(frozen=True)
class Senders:
    """The sender of a message: by the country of the recipient's number, else `default`."""

    default: str
    by_country: Mapping[str, str]

    @classmethod
    def parse(cls, sender: str, by_country: str, pattern: re.Pattern[str] = SENDER) -> Senders:
        """From the settings `sender` and `senders`, such as "US=+12025550100, DE=Acme". Raises InvalidInput, naming
        the setting."""
        if not pattern.fullmatch(sender):
            raise InvalidInput(
                "sender is a phone number such as +12025550100, a short code, or up to 11 letters and digits.",
                field="sender",
            )
        return cls(sender, dict(_country(entry, pattern) for entry in by_country.split(",") if entry.strip()))

    def of_number(self, number: str) -> str:
        """The sender for a recipient's number. Without a table it costs nothing; with one 30 µs."""
        if not self.by_country:
            return self.default
        import phonenumbers

        try:
            region = phonenumbers.region_code_for_number(phonenumbers.parse(number))
        except phonenumbers.NumberParseException:
            return self.default
        return self.by_country.get(region or "", self.default)


def _country(entry: str, pattern: re.Pattern[str]) -> tuple[str, str]:
    import phonenumbers

    country, _, sender = (text.strip() for text in entry.partition("="))
    if country not in phonenumbers.SUPPORTED_REGIONS or not pattern.fullmatch(sender):
        raise InvalidInput(
            "senders is a list such as “US=+12025550100, DE=Acme”: the country's two letters (ISO 3166) and a sender.",
            field="senders",
        )
    return country, sender


def check_price(price: object) -> None:
    """Raise InvalidInput unless this is the price of a segment."""
    if not isinstance(price, int | float) or not 0 <= price < 100:
        raise InvalidInput("price_per_segment is a number from 0 to 100, in your provider's currency.", field=PRICE)
