"""Send windows: the hours of a local week in which marketing may leave, by channel and country. Pure.

Laws and operators forbid marketing SMS at night. The built-in windows are data with their sources; a tenant writes
lines of its own, which replace them country by country.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from functools import lru_cache
from typing import NamedTuple

from notifier.errors import InvalidInput
from notifier.values.timestamps import clock_text

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = 24 * 60
#: (opens, closes) of each day from Monday on, in minutes of the local day; (0, 0): closed all day
Week = tuple[tuple[int, int], ...]
#: stands for every country without a window of its own
EVERY = "*"


class SendWindow(NamedTuple):
    week: Week
    #: the country whose public holidays are closed, too; "": none
    holidays: str = ""

    def describe(self) -> str:
        """Such as "Mon-Sat 08:00-22:00, not on public holidays"."""
        days = [f"{name} {clock_text(opens)}-{clock_text(closes)}" for name, opens, closes in _spans(self.week)]
        return ", ".join([*days, "not on public holidays"] if self.holidays else days)


#: country -> its window; None: messages may leave at any time. EVERY is always there
Windows = Mapping[str, SendWindow | None]


def _every_day(opens: int, closes: int, days: int = 7) -> Week:
    return tuple((opens * 60, closes * 60) if day < days else (0, 0) for day in range(7))


# France: no marketing between 22:00 and 08:00, on Sundays and on public holidays; operators enforce it (Brevo,
# "Send SMS message to a mobile number": developers.brevo.com/reference/sendtransacsms). The same law holds in its
# overseas departments.
_FRANCE = SendWindow(_every_day(8, 22, days=6), "FR")
BUILT_IN: Mapping[str, Windows] = {
    "sms": {
        # no law for all countries: what senders of marketing SMS agree on
        EVERY: SendWindow(_every_day(8, 21)),
        # 47 CFR 64.1200(c)(1): not before 8 a.m. or after 9 p.m., local time at the called party's location
        "US": SendWindow(_every_day(8, 21)),
        **dict.fromkeys(("FR", "GF", "GP", "MQ", "RE", "YT"), _FRANCE),
        # TRAI, TCCCPR 2018: promotional messages. Operators state 09:00 or 10:00 until 21:00; the narrower one
        "IN": SendWindow(_every_day(10, 21)),
    }
}


# ---- a tenant's own lines ------------------------------------------------------------------------------------------

_LINE = re.compile(r"([a-z_]+) +([A-Za-z]{2}|\*) +(?:off|(?:([a-z-]+) +)?(\d\d:\d\d)-(\d\d:\d\d))", re.ASCII)
_NO_BUILT_IN = "built-in off"
REMEDY = "Write a line such as: sms DE mon-sat 09:00-20:00, sms * off, or built-in off."


@lru_cache(256)
def read_windows(text: str) -> Mapping[str, Windows]:
    """Channel -> its windows, for a tenant with these lines. Raises InvalidInput, naming the line."""
    lines = [(n, " ".join(line.split())) for n, line in enumerate(text.splitlines(), 1) if line.strip()]
    windows = {} if (any(line == _NO_BUILT_IN for _, line in lines)) else {c: dict(w) for c, w in BUILT_IN.items()}
    own: dict[tuple[str, str], list[tuple[int, int]] | None] = {}
    for n, line in lines:
        if line != _NO_BUILT_IN:
            _read_line(own, n, line)
    for (channel, country), week in own.items():
        holidays = country if country in _HOLIDAYS else ""
        window = None if week is None else SendWindow(tuple(week), holidays)
        windows.setdefault(channel, {EVERY: None})[country] = window
    return {channel: known for channel, known in windows.items() if any(known.values())}


def _read_line(own: dict[tuple[str, str], list[tuple[int, int]] | None], number: int, line: str) -> None:
    match = _LINE.fullmatch(line)
    if match is None:
        raise _wrong(number, line, REMEDY)
    channel, country, days, opens, closes = match.groups()
    key = (channel, country.upper())
    if opens is None:
        if key in own:
            raise _wrong(number, line, "An earlier line has hours for it.")
        own[key] = None
        return
    week = own.setdefault(key, [(0, 0)] * 7)
    if week is None:
        raise _wrong(number, line, "An earlier line says off.")
    hours = (_minute(opens, number, line), _minute(closes, number, line))
    if hours[0] >= hours[1]:
        raise _wrong(number, line, "A window closes after it opens, on the same day.")
    for day in _read_days(days or "mon-sun", number, line):
        if week[day] != (0, 0):
            raise _wrong(number, line, f"An earlier line has hours for {DAYS[day]}.")
        week[day] = hours


def _read_days(text: str, number: int, line: str) -> range:
    first, dash, last = text.partition("-")
    if first not in DAYS or (dash and last not in DAYS):
        raise _wrong(number, line, f"Days are {', '.join(DAYS)}, or such as mon-fri.")
    begin, end = DAYS.index(first), DAYS.index(last or first)
    if end < begin:
        raise _wrong(number, line, "The days run from Monday to Sunday: write two lines.")
    return range(begin, end + 1)


def _minute(text: str, number: int, line: str) -> int:
    hour, minute = int(text[:2]), int(text[3:])
    if hour * 60 + minute > _DAY or minute > 59:
        raise _wrong(number, line, f"{text} is no time of day; the end of the day is 24:00.")
    return hour * 60 + minute


def _wrong(number: int, line: str, remedy: str) -> InvalidInput:
    return InvalidInput(f"Line {number} ({line[:80]!r}) is no send window. {remedy}", field="send_windows")


# ---- public holidays -----------------------------------------------------------------------------------------------

#: country -> fixed days (month, day), and days after Easter Sunday
_HOLIDAYS: Mapping[str, tuple[tuple[tuple[int, int], ...], tuple[int, ...]]] = {
    # Code du travail, article L3133-1: among these Easter Monday, Ascension and Whit Monday
    "FR": (((1, 1), (5, 1), (5, 8), (7, 14), (8, 15), (11, 1), (11, 11), (12, 25)), (1, 39, 50)),
}


def is_holiday(country: str, day: date) -> bool:
    """Whether the day is a public holiday of a country that the table has."""
    return day in _holidays(country, day.year)


@lru_cache(64)
def _holidays(country: str, year: int) -> frozenset[date]:
    fixed, after_easter = _HOLIDAYS[country]
    easter = _easter(year)
    return frozenset([date(year, *day) for day in fixed] + [easter + timedelta(days) for days in after_easter])


def _easter(year: int) -> date:
    """Easter Sunday of the Gregorian calendar (Meeus, Astronomical Algorithms, chapter 8)."""
    century, rest = divmod(year, 100)
    moon = (19 * (year % 19) + century - century // 4 - (century - (century + 8) // 25 + 1) // 3 + 15) % 30
    week = (32 + 2 * (century % 4) + 2 * (rest // 4) - moon - rest % 4) % 7
    shift = moon + week - 7 * ((year % 19 + 11 * moon + 22 * week) // 451) + 114
    return date(year, shift // 31, shift % 31 + 1)


# ---- in words ------------------------------------------------------------------------------------------------------


def _spans(week: Week) -> Iterator[tuple[str, int, int]]:
    """Runs of days with the same hours: such as ("Mon-Sat", 480, 1320). Closed days are left out."""
    first = 0
    for day in range(1, 8):
        if day == 7 or week[day] != week[first]:
            opens, closes = week[first]
            if closes > opens:
                names = [DAYS[first].title()] if day - first == 1 else [DAYS[first].title(), DAYS[day - 1].title()]
                yield "-".join(names), opens, closes
            first = day
