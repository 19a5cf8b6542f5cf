"""The slots of a schedule: tables of what RRULE and cron mean, and python-dateutil as a second opinion."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise, takewhile
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.schedules.rules.cron import read_cron
from campaigns.schedules.rules.rrule import read_rrule
from campaigns.schedules.rules.rule import Rule
from campaigns.schedules.rules.slots import Timing, instant, local_time, slots

#: both hemispheres, halves of hours, a change by half an hour, changes at midnight, no changes, and the first zone
ZONES = (
    "America/New_York",
    "Europe/London",
    "Australia/Lord_Howe",
    "Africa/Cairo",
    "America/Santiago",
    "Asia/Kathmandu",
    "Pacific/Chatham",
    "Pacific/Kiritimati",
)
DAYS = 400
START = datetime(2026, 9, 1)
BEFORE = datetime(2026, 8, 1, tzinfo=UTC)
NEW_YORK = ZoneInfo("America/New_York")


def of(rule: Rule, zone: str, starts: datetime = START, days: int = DAYS) -> list[datetime]:
    """The slots of so many days from the start."""
    end = instant(starts, ZoneInfo(zone)) + timedelta(days=days)
    return list(takewhile(lambda moment: moment < end, slots(Timing(starts, rule), ZoneInfo(zone), BEFORE)))


def every_quarter(zone: str, days: int = DAYS) -> dict[datetime, datetime]:
    """Wall clock -> the first time at which the zone's clock shows it, found by looking at each quarter of an hour."""
    shown: dict[datetime, datetime] = {}
    moment = instant(START, ZoneInfo(zone)) - timedelta(days=1)
    for _ in range((days + 2) * 24 * 4):
        shown.setdefault(local_time(moment, ZoneInfo(zone)), moment)
        moment += timedelta(minutes=15)
    return shown


@pytest.mark.parametrize("zone", ZONES)
def test_a_daily_slot_comes_once_a_day_at_the_first_minute_that_the_clock_shows(zone: str) -> None:
    shown = every_quarter(zone)
    for hour, minute in ((0, 0), (0, 30), (1, 30), (2, 0), (2, 30), (3, 15), (12, 0)):
        found = of(read_rrule(f"FREQ=DAILY;BYHOUR={hour};BYMINUTE={minute}"), zone)
        expected = []
        for day in range(DAYS):
            local = START + timedelta(days=day, hours=hour, minutes=minute)
            while local not in shown:
                local += timedelta(minutes=15)
            expected.append(shown[local])
        # the last day depends on the hours that the changes of the clocks took
        assert found[: DAYS - 1] == expected[: DAYS - 1]
        assert DAYS - 1 <= len(found) <= DAYS + 1


@pytest.mark.parametrize("zone", ZONES)
def test_an_hourly_slot_comes_each_hour_of_real_time(zone: str) -> None:
    found = of(read_rrule("FREQ=HOURLY"), zone)
    assert len(found) == DAYS * 24
    assert {later - earlier for earlier, later in pairwise(found)} == {timedelta(hours=1)}


@pytest.mark.parametrize("zone", ZONES)
def test_an_hourly_cron_line_comes_whenever_the_clock_shows_its_minute(zone: str) -> None:
    found = of(read_cron("30 * * * *"), zone)
    start = instant(START, ZoneInfo(zone))
    quarters = (start + timedelta(minutes=15 * n) for n in range(DAYS * 24 * 4))
    assert found == [moment for moment in quarters if local_time(moment, ZoneInfo(zone)).minute == 30]


@pytest.mark.parametrize(
    "rule", [read_rrule("FREQ=HOURLY;BYMINUTE=0"), read_rrule("FREQ=HOURLY"), read_cron("0 * * * *")]
)
def test_both_of_new_yorks_ones_on_1_november_2026_have_an_hourly_slot(rule: Rule) -> None:
    found = of(rule, "America/New_York", datetime(2026, 11, 1), days=1)
    hours = [local_time(moment, NEW_YORK).hour for moment in found]
    assert hours == [0, 1, 1, *range(2, 23)]
    quarters = of(read_rrule("FREQ=MINUTELY;INTERVAL=15"), "America/New_York", datetime(2026, 11, 1), days=1)
    assert [local_time(m, NEW_YORK).hour for m in quarters].count(1) == 8


def test_a_daily_slot_at_half_past_one_comes_once_on_1_november_2026() -> None:
    found = of(read_cron("30 1 * * *"), "America/New_York", datetime(2026, 11, 1), days=2)
    assert found == [datetime(2026, 11, 1, 5, 30, tzinfo=UTC), datetime(2026, 11, 2, 6, 30, tzinfo=UTC)]


def test_a_slot_that_the_clock_skips_moves_to_the_next_minute_that_it_shows() -> None:
    found = of(read_rrule("FREQ=DAILY;BYHOUR=2;BYMINUTE=15,45"), "America/New_York", datetime(2027, 3, 13), days=3)
    assert [local_time(moment, NEW_YORK).strftime("%d %H:%M") for moment in found] == [
        "13 02:15", "13 02:45", "14 03:00", "15 02:15", "15 02:45",
    ]  # fmt: skip


#: what dateutil also knows, on days: its times of the wall clock are made instants by the rule tested above
DATES = (
    "FREQ=DAILY",
    "FREQ=DAILY;INTERVAL=3;BYHOUR=9,18;BYMINUTE=0,30",
    "FREQ=DAILY;BYMONTH=2,11;BYDAY=SA,SU",
    "FREQ=WEEKLY",
    "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TH;BYHOUR=8",
    "FREQ=WEEKLY;BYDAY=SU;COUNT=7",
    "FREQ=MONTHLY",
    "FREQ=MONTHLY;BYMONTHDAY=-1",
    "FREQ=MONTHLY;BYMONTHDAY=31",
    "FREQ=MONTHLY;INTERVAL=2;BYDAY=2TU,-1FR",
    "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13",
    "FREQ=MONTHLY;BYDAY=MO;BYMONTH=1,6;UNTIL=20270601T120000",
)


@pytest.mark.parametrize("text", DATES)
@pytest.mark.parametrize("zone", ZONES)
def test_dateutil_finds_the_same_days(text: str, zone: str) -> None:
    starts = datetime(2026, 8, 31, 10, 20)
    end = starts + timedelta(days=DAYS - 2, minutes=1)
    judged = rrulestr(text, dtstart=starts).between(starts, end, inc=True)
    found = [moment for moment in of(read_rrule(text), zone, starts) if moment < instant(end, ZoneInfo(zone))]
    assert found == [instant(local, ZoneInfo(zone)) for local in judged]


WEEKDAYS = st.sampled_from(["MO", "TU", "WE", "TH", "FR", "SA", "SU"])


@st.composite
def rrules(draw: Any) -> str:
    unit = draw(st.sampled_from(["MINUTELY", "HOURLY", "DAILY", "WEEKLY", "MONTHLY"]))
    parts = [f"FREQ={unit}", f"INTERVAL={draw(st.integers(15, 3_000) if unit == 'MINUTELY' else st.integers(1, 9))}"]

    def numbers(name: str, values: Any) -> None:
        if draw(st.booleans()):
            parts.append(f"{name}={','.join(map(str, draw(st.sets(values, min_size=1, max_size=3))))}")

    numbers("BYMONTH", st.integers(1, 12))
    numbers("BYHOUR", st.integers(0, 23))
    numbers("BYMINUTE", st.integers(0, 59))
    if unit == "MONTHLY" and draw(st.booleans()):
        # dateutil wants a day to match both of MO,1TU; in RFC 5545 one of them is enough
        numbers("BYDAY", st.tuples(st.sampled_from(["1", "2", "5", "-1", "-2"]), WEEKDAYS).map("".join))
    else:
        numbers("BYDAY", WEEKDAYS)
    if unit != "WEEKLY":
        numbers("BYMONTHDAY", st.integers(1, 31) | st.integers(-31, -1))
    if draw(st.booleans()):
        parts.append(f"COUNT={draw(st.integers(1, 40))}")
    return ";".join(parts)


@given(rrules(), st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)), st.integers(0, 300))
@settings(max_examples=150)
def test_dateutil_finds_the_same_slots_in_utc(text: str, starts: datetime, skipped: int) -> None:
    starts = starts.replace(second=0, microsecond=0)
    after = starts + timedelta(days=skipped)
    found = list(islice(slots(Timing(starts, read_rrule(text)), ZoneInfo("UTC"), after.replace(tzinfo=UTC)), 30))
    assert found == sorted(set(found))
    # dateutil searches for a slot that never comes until the year 9999
    if found:
        judged = islice(rrulestr(text, dtstart=starts).xafter(after), len(found))
        assert found == [moment.replace(tzinfo=UTC) for moment in judged]


#: cron lines, and the same in the words of RFC 5545
SAME = {
    "0 9 * * 1": "FREQ=WEEKLY;BYDAY=MO;BYHOUR=9;BYMINUTE=0",
    "15,45 8-10 * * MON-FRI": "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR;BYHOUR=8,9,10;BYMINUTE=15,45",
    "0 0 1 * *": "FREQ=MONTHLY;BYMONTHDAY=1;BYHOUR=0;BYMINUTE=0",
    "30 12 31 JAN,MAR *": "FREQ=MONTHLY;BYMONTHDAY=31;BYMONTH=1,3;BYHOUR=12;BYMINUTE=30",
    "0 */6 * * 0": "FREQ=WEEKLY;BYDAY=SU;BYHOUR=0,6,12,18;BYMINUTE=0",
    "5 10/5 * * 7": "FREQ=WEEKLY;BYDAY=SU;BYHOUR=10,15,20;BYMINUTE=5",
    "*/20 * * * *": "FREQ=HOURLY;BYMINUTE=0,20,40",
    "0 * * 12 SAT": "FREQ=HOURLY;BYMINUTE=0;BYMONTH=12;BYDAY=SA",
}


@pytest.mark.parametrize("line", SAME)
@pytest.mark.parametrize("zone", ["America/New_York", "Australia/Lord_Howe"])
def test_a_cron_line_means_what_its_rrule_means(line: str, zone: str) -> None:
    assert of(read_cron(line), zone, days=200) == of(read_rrule(SAME[line]), zone, days=200)


@pytest.mark.parametrize("zone", ZONES)
def test_the_search_for_a_slot_that_never_comes_ends(zone: str) -> None:
    for text in ("HOURLY;BYMINUTE=5", "HOURLY", "MINUTELY;INTERVAL=15", "DAILY"):
        assert of(read_rrule(f"FREQ={text};BYMONTH=2;BYMONTHDAY=30"), zone) == []


def test_a_cron_line_with_both_kinds_of_days_needs_one_of_them() -> None:
    days = [moment.day for moment in of(read_cron("0 9 13 * FRI"), "UTC", datetime(2026, 11, 1), days=30)]
    assert days == [6, 13, 20, 27]
    assert [m.day for m in of(read_cron("0 9 14 * FRI"), "UTC", datetime(2026, 11, 1), days=30)] == [6, 13, 14, 20, 27]
