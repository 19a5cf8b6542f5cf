"""The demo's CSV of recipients. It is the same in every run, so a second run updates the recipients of the first."""

from __future__ import annotations

import csv
import random
from pathlib import Path

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
#: of a hundred recipients: those without a push token, and those with a token that FCM no longer knows
WITHOUT_TOKEN = 3
DEAD_TOKEN = 1
#: of a hundred recipients: those whose mailbox does not exist, and those who click or open, which the sandbox's email
#: services report
DEAD_MAILBOX, CLICKS, OPENS = 1, 8, 24


def external_ids(count: int) -> list[str]:
    """The external ids of a CSV with `count` rows."""
    return [f"user-{number}" for number in range(count)]


def write_csv(path: Path, count: int) -> None:
    """Write `count` rows with tokens, emails, phones, locales, time zones and one attribute."""
    generator = random.Random(2024)  # noqa: S311
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["external_id", "name", "email", "phone", "locale", "timezone", "push_token", "plan"])
        for number, external_id in enumerate(external_ids(count)):
            locale, zone, prefix = generator.choice(_PLACES)
            writer.writerow(
                [
                    external_id,
                    f"{generator.choice(_NAMES)} {number}",
                    _email(generator.randrange(100), number),
                    f"{prefix}{number % 10_000:04d}",
                    locale,
                    zone,
                    _token(generator.randrange(100), number),
                    generator.choice(_PLANS),
                ]
            )


def _email(hundredth: int, number: int) -> str:
    """The first word of the address chooses what becomes of a mail in the sandbox."""
    bounds = {"nobody": DEAD_MAILBOX, "click": DEAD_MAILBOX + CLICKS, "open": DEAD_MAILBOX + CLICKS + OPENS}
    word = next((word for word, bound in bounds.items() if number and hundredth < bound), "user")
    return f"{word}-{number}@example.com"


def _token(hundredth: int, number: int) -> str:
    if number == 0 or hundredth >= WITHOUT_TOKEN + DEAD_TOKEN:
        return f"demo-device-{number:08d}:APA91bFakeRegistrationTokenForTheSandbox"
    return "" if hundredth < WITHOUT_TOKEN else f"unregistered-demo-{number:08d}"
