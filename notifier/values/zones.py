"""Time zones by their names in the IANA database. Case is ignored, and what is kept is IANA's own spelling."""

from __future__ import annotations

import zoneinfo
from functools import cache

from notifier.errors import InvalidInput

#: files of the database that are no places: this machine's own zone, a placeholder, and rules for POSIX strings
_NO_PLACES = frozenset({"localtime", "factory", "posixrules"})
#: the same zones once more, with and without leap seconds
_COPIES = ("right/", "posix/")


def canonical(text: str, field: str = "timezone") -> str:
    """The zone as IANA spells it. Raises InvalidInput, naming the field."""
    found = _names().get(text.lower())
    if found is None:
        raise InvalidInput(f"{text[:64]!r} is no IANA time zone, such as Europe/Berlin or UTC.", field=field)
    return found


@cache
def zone(name: str) -> zoneinfo.ZoneInfo:
    """A zone by its stored name; UTC for one that the system's database does not know (any more)."""
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        return zoneinfo.ZoneInfo("UTC")


@cache
def _names() -> dict[str, str]:
    every = {name.lower(): name for name in zoneinfo.available_timezones()}
    return {low: name for low, name in every.items() if low not in _NO_PLACES and not low.startswith(_COPIES)}
