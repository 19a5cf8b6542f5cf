"""The demo's CSV of recipients. It is the same in every run, so a second run updates the recipients of the first."""

from __future__ import annotations

import csv
import random
from collections import Counter
from pathlib import Path

from notifier.demo.devices import Tokens

_NAMES = ("Ada", "Björn", "Chidi", "Dolores", "Emre", "Fatima", "Giulia", "Hiroshi", "Inés", "Jonas", "Keiko", "Łukasz")
_PLACES = (
    ("en-US", "America/New_York", "+1212555"),
    ("en-GB", "Europe/London", "+4420794"),
    ("de-DE", "Europe/Berlin", "+4930123"),
    ("de-AT", "Europe/Vienna", "+4315880"),
    ("es-MX", "America/Mexico_City", "+5255512"),
    ("ja-JP", "Asia/Tokyo", "+8133501"),
)
_PLANS = ("free", "plus", "family")
#: of a hundred recipients: those whose mailbox does not exist, and those who click or open, which the sandbox's email
#: services report
DEAD_MAILBOX, CLICKS, OPENS = 1, 8, 24


def external_ids(count: int) -> list[str]:
    """The external ids of a CSV with `count` rows."""
    return [f"user-{number}" for number in range(count)]


def write_csv(path: Path, count: int, tokens: Tokens) -> Counter[str]:
    """Write `count` rows with tokens, emails, phones, locales, time zones and one attribute. Returns how many devices
    each platform has."""
    devices: Counter[str] = Counter()
    generator = random.Random(2024)  # noqa: S311
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(
            ["external_id", "name", "email", "phone", "locale", "timezone", "push_platform", "push_token", "plan"]
        )
        for number, external_id in enumerate(external_ids(count)):
            locale, zone, prefix = generator.choice(_PLACES)
            token = tokens.token(number, generator.randrange(100), generator.randrange(100))
            devices[token.platform] += bool(token.text)
            writer.writerow(
                [
                    external_id,
                    f"{generator.choice(_NAMES)} {number}",
                    _email(generator.randrange(100), number),
                    f"{prefix}{number % 10_000:04d}",
                    locale,
                    zone,
                    *token,
                    generator.choice(_PLANS),
                ]
            )
    return +devices


def _email(hundredth: int, number: int) -> str:
    """The first word of the address chooses what becomes of a mail in the sandbox."""
    bounds = {"nobody": DEAD_MAILBOX, "click": DEAD_MAILBOX + CLICKS, "open": DEAD_MAILBOX + CLICKS + OPENS}
    word = next((word for word, bound in bounds.items() if number and hundredth < bound), "user")
    return f"{word}-{number}@example.com"
