"""The value of a condition, checked for its field and operator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from campaigns.audience.segments.fields import (
    CAMPAIGN_FIELDS,
    CHANNEL_FIELD,
    CHOICE_FIELDS,
    COMPARE,
    COUNTRY_FIELD,
    LAST_SEEN,
    LIST_FIELD,
    OPS_OF_DAYS,
    TEXT_FIELDS,
)
from campaigns.audience.segments.membership import CHANNELS
from campaigns.storable_json import check_number
from notifier.errors import InvalidInput
from notifier.values import countries, locales, timestamps, zones
from notifier.values.email_address import stored_email
from notifier.values.text import check_storable
from notifier.values.trim import trimmed
from notifier.vocabulary.ids import parse_id
from tenants.models import Recipient
from tenants.people.platforms import platforms

#: a column compares with one `= ANY`; each value of an attribute is a search of its own in the gin index
MAX_VALUES, MAX_FEW_VALUES = 1_000, 100
MAX_TEXT = 500
MAX_DAYS = 3_650
Check = Callable[[Any, str], Any]


def checked_value(name: str, op: str, value: Any, where: str) -> Any:
    """The value with the type that the operator needs. Raises InvalidInput naming `where`."""
    if op == "exists":
        if not isinstance(value, bool):
            raise InvalidInput("Must be true or false.", field=where)
        return value
    check = _check_of(name, op)
    if op not in ("in", "not_in"):
        return check(value, where)
    most = MAX_VALUES if name in TEXT_FIELDS else MAX_FEW_VALUES
    if not isinstance(value, list) or not 0 < len(value) <= most:
        raise InvalidInput(f"Must be a list of 1 to {most} values.", field=where)
    return [check(item, f"{where}.{index}") for index, item in enumerate(value)]


def _check_of(name: str, op: str) -> Check:
    """The check of one value."""
    if op in OPS_OF_DAYS:
        return _days
    if name in ("created_at", LAST_SEEN):
        return _time
    if op == "prefix" and name == "locale":
        return _locale_prefix
    if name == "email":
        return _email
    if op in ("contains", "prefix"):
        return _text
    if name.startswith("attributes."):
        return _comparable if op in COMPARE else _scalar
    return _campaign_id if name in CAMPAIGN_FIELDS else _CHECKS.get(name, _trimmed_text)


def _trimmed_text(value: Any, where: str) -> str:
    """A text as it is stored."""
    return _text(trimmed(value) if isinstance(value, str) else value, where)


def _locale_prefix(value: Any, where: str) -> str:
    return _text(value, where).replace("_", "-")


def _locale(value: Any, where: str) -> str:
    """The value in the form that recipients have. Raises InvalidInput for a value that no recipient can have."""
    return locales.canonical(_trimmed_text(value, where), where)


def _email(value: Any, where: str) -> str:
    return stored_email(_trimmed_text(value, where))


def _zone(value: Any, where: str) -> str:
    return zones.canonical(_trimmed_text(value, where), where)


def _status(value: Any, where: str) -> str:
    text = _trimmed_text(value, where)
    if text not in Recipient.State.values:
        raise InvalidInput(f"A recipient is one of: {', '.join(Recipient.State.values)}.", field=where)
    return text


def _comparable(value: Any, where: str) -> Any:
    if isinstance(value, bool):
        raise InvalidInput("Must be a number or a text.", field=where)
    return _scalar(value, where)


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= MAX_TEXT:
        raise InvalidInput(f"Must be a text of 1 to {MAX_TEXT} characters.", field=where)
    check_storable(value, where)
    return value


def _scalar(value: Any, where: str) -> Any:
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        check_number(value, where)
        return value
    if not isinstance(value, str):
        raise InvalidInput("Must be a text, a number, true or false.", field=where)
    return _text(value, where)


def _time(value: Any, where: str) -> datetime:
    moment = timestamps.parse(value)
    if moment is None:
        raise InvalidInput("Must be a date or a time, such as 2026-01-31T09:00:00Z.", field=where)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _days(value: Any, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_DAYS:
        raise InvalidInput(f"Must be a whole number of days from 0 to {MAX_DAYS}.", field=where)
    return value


def _campaign_id(value: Any, where: str) -> str:
    if (campaign_id := parse_id(value)) is None:
        raise InvalidInput("Must be the id of a campaign, such as 01a1fc68-18b1-7c3d-9b62-1e7a8c3d0f25.", field=where)
    return str(campaign_id)


def _platform(value: Any, where: str) -> str:
    if value not in platforms():
        raise InvalidInput(f"Must be a platform: {', '.join(platforms())}.", field=where)
    return str(value)


def _country(value: Any, where: str) -> str:
    code = _trimmed_text(value, where).upper()
    if not countries.is_country(code):
        raise InvalidInput("Must be the code of a country in two letters, such as AT.", field=where)
    return code


def _channel(value: Any, where: str) -> str:
    if value not in CHANNELS:
        raise InvalidInput(f"Must be a channel: {', '.join(CHANNELS)}.", field=where)
    return str(value)


def _list_id(value: Any, where: str) -> str:
    if (list_id := parse_id(value)) is None:
        raise InvalidInput("Must be the id of an audience whose source is a list.", field=where)
    return str(list_id)


def _choice(value: Any, where: str) -> str:
    entry = _trimmed_text(value, where)
    category, colon, channel = entry.partition(":")
    if not category or (colon and channel not in CHANNELS):
        raise InvalidInput("Must be the key of a category, or key:channel for one channel of it.", field=where)
    return entry


_CHECKS: Mapping[str, Check] = {
    "status": _status,
    "locale": _locale,
    "timezone": _zone,
    "device.platform": _platform,
    COUNTRY_FIELD: _country,
    CHANNEL_FIELD: _channel,
    LIST_FIELD: _list_id,
    **dict.fromkeys(CHOICE_FIELDS, _choice),
}
