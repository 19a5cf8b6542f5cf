"""Which caps hold a message, and the windows in which they count. The second opinion on a window is what the zone's
clock shows at each end of it."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.delivery.planning.cap_rules import Cap, caps_for, window_at
from notifier.delivery.planning.plan import Rule
from notifier.vocabulary.status import Kind

#: zones with half-hour steps, changes at midnight, and a day that never was
ZONES = [
    "UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "America/Havana",
    "Asia/Beirut", "America/Sao_Paulo", "Asia/Kathmandu", "America/St_Johns", "Antarctica/Troll", "Africa/Cairo",
]  # fmt: skip
SECOND = timedelta(seconds=1)
#: hours in which a clock of one of the zones changes, from 2011 (Samoa's lost day) to 2026
CHANGES = sorted(
    {
        hour
        for name in ZONES
        for hour in (datetime(2011, 12, 1, tzinfo=UTC) + timedelta(hours=n) for n in range(15 * 365 * 24))
        if (hour - timedelta(hours=1)).astimezone(ZoneInfo(name)).utcoffset()
        != hour.astimezone(ZoneInfo(name)).utcoffset()
    }
)


def clock(period: str, zone: str, at: datetime) -> tuple[object, ...]:
    """What all moments of one window share, read from the zone's clock."""
    local = at.astimezone(ZoneInfo(zone))
    if period == "week":
        return tuple(local.isocalendar()[:2])
    if period == "day":
        return (local.date(),)
    # an hour that comes twice is two windows
    return (local.date(), local.hour, local.utcoffset())


@given(
    period=st.sampled_from(["hour", "day", "week"]),
    zone=st.sampled_from(ZONES),
    change=st.sampled_from(CHANGES),
    seconds=st.integers(-10 * 86_400, 10 * 86_400) | st.integers(-7_200, 7_200),
)
def test_a_window_is_all_that_the_clock_calls_the_same_hour_day_or_week(
    period: str, zone: str, change: datetime, seconds: int
) -> None:
    at = change + timedelta(seconds=seconds)
    window = window_at(period, zone, at)
    shown = clock(period, zone, at)
    assert window.start <= at < window.end
    assert clock(period, zone, window.start) == shown == clock(period, zone, window.end - SECOND)
    assert clock(period, zone, window.start - SECOND) != shown != clock(period, zone, window.end)
    assert window_at(period, zone, window.start) == window == window_at(period, zone, window.end - SECOND)


@pytest.mark.parametrize(
    ("period", "zone", "at", "start", "end"),
    [
        ("week", "Europe/Berlin", "2026-11-29T12:00", "2026-11-22T23:00", "2026-11-29T23:00"),  # a Sunday
        ("week", "Europe/Berlin", "2026-11-30T12:00", "2026-11-29T23:00", "2026-12-06T23:00"),  # a Monday
        ("day", "America/New_York", "2026-11-01T12:00", "2026-11-01T04:00", "2026-11-02T05:00"),  # of 25 hours
        ("hour", "America/New_York", "2026-11-01T05:30", "2026-11-01T05:00", "2026-11-01T06:00"),  # the first 01:30
        ("hour", "America/New_York", "2026-11-01T06:30", "2026-11-01T06:00", "2026-11-01T07:00"),  # the second
        ("hour", "Asia/Kathmandu", "2026-06-01T12:30", "2026-06-01T12:15", "2026-06-01T13:15"),
        ("day", "Asia/Beirut", "2014-03-29T20:00", "2014-03-28T22:00", "2014-03-29T22:00"),  # before a skipped midnight
        ("day", "Pacific/Apia", "2011-12-30T09:00", "2011-12-29T10:00", "2011-12-30T10:00"),  # the 29th; no 30th
    ],
)
def test_windows_of_known_calendars(period: str, zone: str, at: str, start: str, end: str) -> None:
    window = window_at(period, zone, datetime.fromisoformat(f"{at}+00:00"))
    assert [f"{edge:%Y-%m-%dT%H:%M}" for edge in window] == [start, end]


NEWS, ORDERS, ALARM = Rule("news", Kind.MARKETING), Rule("orders"), Rule("alarm", Kind.CRITICAL)


@pytest.mark.parametrize(
    ("category", "channel", "holds"),
    [
        ("", "", {("news", "push"), ("news", "email")}),
        ("", "push", {("news", "push")}),
        ("orders", "", {("orders", "push"), ("orders", "email")}),
        ("alarm", "email", {("alarm", "email")}),
        ("other", "", set()),
    ],
)
def test_a_cap_holds_marketing_or_what_its_category_names(
    category: str, channel: str, holds: set[tuple[str, str]]
) -> None:
    cap = Cap(uuid.uuid4(), category, channel, 1, "day", datetime(2026, 1, 1, tzinfo=UTC))
    held = {
        (rule.category, name)
        for rule in (NEWS, ORDERS, ALARM, Rule())
        for name in ("push", "email")
        if caps_for([cap], rule, name)
    }
    assert held == holds
