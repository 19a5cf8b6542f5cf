"""Closed hours: quiet hours as a table, and every minute around the nights on which clocks are changed."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from notifier.delivery.planning.closed_hours import ClosedHours, closed_hours_of, expires_while_held, find_end
from notifier.delivery.planning.rule import Rule
from notifier.vocabulary.people import Preferences
from notifier.vocabulary.status import Kind
from tests.delivery.planning.test_plan import a_person

MINUTE = timedelta(minutes=1)
VIENNA = "Europe/Vienna"
LORD_HOWE = "Australia/Lord_Howe"


def at(zone: str, text: str, fold: int = 0) -> datetime:
    """A moment, as a clock there shows it; `fold` 1: for the second time in that night."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC)


def minutes(text: str) -> int:
    return int(text[:2]) * 60 + int(text[3:])


def quiet(start: str, end: str, zone: str = VIENNA) -> ClosedHours:
    return ClosedHours(zone, minutes(start), minutes(end))


@pytest.mark.parametrize(
    ("hours", "now", "expected"),
    [
        (quiet("22:00", "07:00"), at(VIENNA, "2026-07-01 21:59:59"), None),
        (quiet("22:00", "07:00"), at(VIENNA, "2026-07-01 22:00"), at(VIENNA, "2026-07-02 07:00")),
        (quiet("22:00", "07:00"), at(VIENNA, "2026-07-02 06:59:59"), at(VIENNA, "2026-07-02 07:00")),
        (quiet("22:00", "07:00"), at(VIENNA, "2026-07-02 07:00"), None),
        (quiet("13:00", "15:00"), at(VIENNA, "2026-07-01 14:00:30"), at(VIENNA, "2026-07-01 15:00")),
        (quiet("00:00", "23:59"), at(VIENNA, "2026-07-01 23:59"), None),
        # the night before: summer time began on 29 March 2026
        (quiet("21:00", "08:00"), at(VIENNA, "2026-03-28 21:30"), at(VIENNA, "2026-03-29 08:00")),
        (quiet("21:00", "08:00"), at(VIENNA, "2026-03-29 21:30"), at(VIENNA, "2026-03-30 08:00")),
        # 02:30 does not exist in that night: the clock shows 03:00 where it would be 02:00
        (quiet("22:00", "02:30"), at(VIENNA, "2026-03-29 01:59"), at(VIENNA, "2026-03-29 03:00")),
        (quiet("02:15", "02:45"), at(VIENNA, "2026-03-29 01:59"), None),
        (quiet("02:15", "02:45"), at(VIENNA, "2026-03-29 03:00"), None),
        # the hour from 02:00 comes twice in the night of 25 October 2026
        (quiet("22:00", "02:30"), at(VIENNA, "2026-10-25 02:10"), at(VIENNA, "2026-10-25 02:30")),
        (quiet("22:00", "02:30"), at(VIENNA, "2026-10-25 02:45"), None),
        (quiet("22:00", "02:30"), at(VIENNA, "2026-10-25 02:10", 1), at(VIENNA, "2026-10-25 02:30", 1)),
        (quiet("22:00", "03:00"), at(VIENNA, "2026-10-25 02:10"), at(VIENNA, "2026-10-25 03:00")),
        (quiet("22:00", "07:00"), at(VIENNA, "2026-10-25 02:10", 1), at(VIENNA, "2026-10-25 07:00")),
        # half an hour: 02:00 becomes 01:30 on 5 April 2026, and 02:00 becomes 02:30 on 4 October
        (
            quiet("22:00", "01:45", LORD_HOWE),
            at(LORD_HOWE, "2026-04-05 01:40", 1),
            at(LORD_HOWE, "2026-04-05 01:45", 1),
        ),
        (quiet("22:00", "02:15", LORD_HOWE), at(LORD_HOWE, "2026-10-04 01:59"), at(LORD_HOWE, "2026-10-04 02:30")),
        # Samoa had no 30 December 2011
        (
            quiet("22:00", "07:00", "Pacific/Apia"),
            at("Pacific/Apia", "2011-12-29 23:00"),
            at("Pacific/Apia", "2011-12-31 07:00"),
        ),
        (quiet("22:00", "07:00", "Nowhere/Unknown"), at("UTC", "2026-07-01 23:00"), at("UTC", "2026-07-02 07:00")),
    ],
)
def test_when_quiet_hours_end(hours: ClosedHours, now: datetime, expected: datetime | None) -> None:
    assert end_of(hours, now) == expected


def end_of(hours: ClosedHours, now: datetime, tenant_zone: str = "UTC") -> datetime | None:
    hold = find_end(hours, tenant_zone, now)
    return hold.until if hold else None


def test_without_a_zone_of_ones_own_the_tenants_counts() -> None:
    hours = quiet("22:00", "07:00", "")
    night = at("Asia/Tokyo", "2026-07-01 23:00")
    assert end_of(hours, night, "Asia/Tokyo") == at("Asia/Tokyo", "2026-07-02 07:00")
    assert end_of(hours, night) is None


@pytest.mark.parametrize("kind", [Kind.TRANSACTIONAL, Kind.CRITICAL])
def test_only_marketing_waits(kind: Kind) -> None:
    person = a_person(preferences=Preferences(quiet_from=1320, quiet_until=420), timezone=VIENNA)
    assert closed_hours_of(person, Rule("news", kind), "push") is None
    assert closed_hours_of(person, Rule("news", Kind.MARKETING), "push") == ClosedHours(VIENNA, 1320, 420)


@pytest.mark.parametrize(
    "preferences", [Preferences(), Preferences(quiet_from=60), Preferences(quiet_from=60, quiet_until=60)]
)
def test_a_recipient_without_quiet_hours_does_not_wait(preferences: Preferences) -> None:
    person = a_person(preferences=preferences, timezone=VIENNA)
    assert closed_hours_of(person, Rule("news", Kind.MARKETING), "push") is None


NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("until", "not_after", "expected"),
    [
        (None, NOON, False),
        (NOON, None, False),
        (NOON, NOON + MINUTE, False),
        (NOON, NOON, True),
        (NOON + MINUTE, NOON, True),
    ],
)
def test_a_message_that_expires_while_held_never_leaves(
    until: datetime | None, not_after: datetime | None, expected: bool
) -> None:
    assert expires_while_held(until, not_after) == expected


class Year:
    """A year of a clock, minute by minute: what it shows, read from the zone each quarter of an hour, in which no zone
    has ever changed its clock otherwise since 1972."""

    def __init__(self, zone: str, year: int) -> None:
        self.zone = zone
        self.first = datetime(year, 1, 1, tzinfo=UTC)
        quarters = [
            self.first + timedelta(minutes=15 * n) for n in range((date(year + 1, 1, 3) - date(year, 1, 1)).days * 96)
        ]
        shown = [q.astimezone(ZoneInfo(zone)) for q in quarters]
        self.shown = [(s.hour * 60 + s.minute + n) % 1440 for s in shown for n in range(15)]
        offsets = [s.utcoffset() for s in shown]
        self.changes = [15 * n for n in range(1, len(offsets)) if offsets[n] != offsets[n - 1]]

    def looked_at(self) -> list[int]:
        """Every minute of the day around a change, and one in 61 of all others, for a year."""
        near = {m for change in self.changes for m in range(change - 720, change + 720)}
        return [m for m in range(365 * 1440) if m in near or m % 61 == 0]


def is_quiet(hours: ClosedHours, minute: int) -> bool:
    day = (
        [*range(hours.quiet_from, 1440), *range(hours.quiet_until)]
        if hours.quiet_from > hours.quiet_until
        else range(hours.quiet_from, hours.quiet_until)
    )
    return minute in day


@pytest.mark.parametrize(
    ("zone", "year", "changes"),
    [
        (VIENNA, 2026, 2),
        (LORD_HOWE, 2026, 2),
        ("Africa/Casablanca", 2026, 2),
        ("Africa/Cairo", 2026, 2),
        ("America/Havana", 2026, 2),
        ("America/St_Johns", 2026, 2),
        ("Asia/Kathmandu", 2026, 0),
        ("Pacific/Apia", 2011, 3),
    ],
)
def test_a_hold_ends_at_the_first_minute_that_is_not_quiet(zone: str, year: int, changes: int) -> None:
    clock = Year(zone, year)
    assert len(clock.changes) == changes
    for start, end in (
        ("22:00", "07:00"),
        ("22:00", "02:30"),
        ("01:15", "01:45"),
        ("23:30", "00:15"),
        ("02:31", "02:29"),
    ):
        hours = quiet(start, end, zone)
        quiet_minutes = frozenset(m for m in range(1440) if is_quiet(hours, m))
        loud = [shown not in quiet_minutes for shown in clock.shown]
        following = [0] * len(loud)
        for m in range(len(loud) - 2, -1, -1):
            following[m] = m + 1 if loud[m + 1] else following[m + 1]
        for m in clock.looked_at():
            now = clock.first + m * MINUTE
            expected = None if loud[m] else clock.first + following[m] * MINUTE
            assert end_of(hours, now) == expected, (start, end, now)


def test_hours_that_are_never_open_together_end_the_search() -> None:
    now = datetime(2026, 11, 28, 9, tzinfo=UTC)
    never = ClosedHours("Europe/Vienna", 7 * 60, 21 * 60, ((8 * 60, 20 * 60),) * 7)
    hold = find_end(never, "UTC", now)
    assert hold is not None and timedelta(days=31) <= hold.until - now < timedelta(days=33)
    hold = find_end(ClosedHours(week=((0, 0),) * 7), "UTC", now)
    assert hold is not None and hold.until - now < timedelta(days=33)
