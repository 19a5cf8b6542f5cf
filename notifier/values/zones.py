"""Time zones by their names in the IANA database, and the moments at which their clocks show a time. Case is ignored;
the result has IANA's own spelling."""

from __future__ import annotations

import zoneinfo
from datetime import UTC, datetime
from functools import cache

from notifier.errors import InvalidInput

#: files of the database that are no zones of a region: the machine's own zone, a placeholder, rules for POSIX strings
_NO_REGIONS = frozenset({"localtime", "factory", "posixrules"})
#: folders with copies of all zones, with and without leap seconds
_COPIES = ("right/", "posix/")


def canonical(text: str, field: str = "timezone") -> str:
    """The zone as IANA spells it. Raises InvalidInput, naming the field."""
    name = _names().get(text.lower())
    if name is None:
        raise InvalidInput(f"{text[:64]!r} is no IANA time zone, such as Europe/Berlin or UTC.", field=field)
    return name


@cache
def zone(name: str) -> zoneinfo.ZoneInfo:
    """The zone of a stored name; UTC if the system's database does not have the name (any more)."""
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        return zoneinfo.ZoneInfo("UTC")


def from_wall_clock(local: datetime, zone_name: str) -> datetime:
    """The UTC time at which a clock of the zone shows `local` (without a zone). The first of two such times; a time
    that the clock skips moves forward by what is skipped. (A schedule's slot moves to the end of the gap instead:
    campaigns.schedules.rules.slots.)"""
    return local.replace(tzinfo=zone(zone_name), fold=0).astimezone(UTC)


@cache
def _names() -> dict[str, str]:
    names = {name.lower(): name for name in zoneinfo.available_timezones()}
    return {low: name for low, name in names.items() if low not in _NO_REGIONS and not low.startswith(_COPIES)}
