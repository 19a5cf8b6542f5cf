"""Checks of a recipient's fields, the same for the API, the imports and the admin.

Each check returns the value as it is stored, or raises InvalidInput naming the field.
"""

from __future__ import annotations

import re
import unicodedata

import phonenumbers
from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator

from notifier.errors import InvalidInput
from notifier.values import locales, zones
from notifier.values.email_address import stored_email
from notifier.values.trim import trimmed

_E164 = re.compile(r"\+[1-9]\d{6,14}\Z")
_check_email = EmailValidator()
# addresses that Django's validator accepts as well, in 1 instead of 15 µs an address
_PLAIN_EMAIL = re.compile(
    r"[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}\Z"
)


def external_id(value: str) -> str:
    """The tenant's own id of a recipient: 1 to 128 printable characters."""
    value = _text(value, "external_id", 128, required=True)
    if value in (".", ".."):
        raise InvalidInput("external_id must not be . or .., which a URL cannot name.", field="external_id")
    return value


def name(value: str) -> str:
    """Up to 200 characters. Line breaks are allowed, because spreadsheets break long names into lines."""
    # one kind of line break, from whichever system
    return _text(value.replace("\r\n", "\n").replace("\r", "\n"), "name", 200, allowed="\n")


def email(value: str) -> str:
    """In small letters."""
    value = stored_email(trimmed(value))
    if len(value) <= 254 and _PLAIN_EMAIL.match(value):
        return value
    try:
        _check_email(value)
    except ValidationError:
        raise InvalidInput(f"{value[:80]!r} is no email address.", field="email") from None
    if len(value) > 254:
        raise InvalidInput("An email address has at most 254 characters.", field="email")
    return value


def phone(value: str) -> str:
    """E.164. Numbers in that form skip the library, which needs 20-50 µs a number; an import has a million."""
    value = trimmed(value)
    if _E164.match(value):
        return value
    try:
        number = phonenumbers.parse(value, None)
    except phonenumbers.NumberParseException:
        raise InvalidInput(
            f"{value[:40]!r} is no phone number in E.164, such as +491701234567.", field="phone"
        ) from None
    if not phonenumbers.is_possible_number(number):
        raise InvalidInput(f"{value[:40]!r} is no possible phone number.", field="phone")
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def locale(value: str) -> str:
    """BCP 47 in canonical case: de, de-AT, zh-Hant-TW."""
    return locales.canonical(trimmed(value))


def timezone(value: str) -> str:
    """IANA, in IANA's own spelling."""
    return zones.canonical(trimmed(value))


def app(value: str) -> str:
    """The tenant's own name of one of its apps: up to 100 printable characters."""
    return _text(value, "app", 100)


def _text(value: str, field: str, limit: int, *, required: bool = False, allowed: str = "") -> str:
    value = trimmed(value)
    if required and not value:
        raise InvalidInput(f"{field} is required.", field=field)
    if len(value) > limit:
        raise InvalidInput(f"{field} has at most {limit} characters.", field=field)
    if not value.isprintable() and any(unicodedata.category(c) == "Cc" and c not in allowed for c in value):
        raise InvalidInput(f"{field} holds a control character.", field=field)
    return value
