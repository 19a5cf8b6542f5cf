"""When the messages of a zone become due: pure, over zones and the days on which their clocks jump."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from zoneinfo import available_timezones

import pytest

from campaigns.arming.planning.planner import Route
from campaigns.arming.planning.waves import LocalClock, check_not_over, split_people
from campaigns.arming.storing.sharding import canary_counts
from notifier.errors import InvalidInput
from notifier.values.zones import zone
from notifier.vocabulary.people import Person

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def clock(local: str, begins: datetime = LONG_AGO, passed: str = "next_day", tenant_zone: str = "UTC") -> LocalClock:
    return LocalClock(datetime.fromisoformat(local), begins, passed, tenant_zone)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone_name", "local", "due"),
    [
        ("UTC", "2026-12-24T09:00", "2026-12-24T09:00"),
        ("Europe/Berlin", "2026-12-24T09:00", "2026-12-24T08:00"),
        ("Europe/Berlin", "2026-07-24T09:00", "2026-07-24T07:00"),
        ("America/New_York", "2026-12-24T09:00", "2026-12-24T14:00"),
        ("Asia/Kathmandu", "2026-12-24T09:00", "2026-12-24T03:15"),
        ("Pacific/Kiritimati", "2026-12-24T09:00", "2026-12-23T19:00"),
        ("Etc/GMT+12", "2026-12-24T09:00", "2026-12-24T21:00"),
        ("Australia/Lord_Howe", "2026-12-24T09:00", "2026-12-23T22:00"),
        ("Australia/Lord_Howe", "2026-07-24T09:00", "2026-07-23T22:30"),
        # the clock skips 02:00 to 02:30 on Lord Howe, 02:00 to 03:00 in Berlin: moved forward by what is skipped
        ("Australia/Lord_Howe", "2026-10-04T02:10", "2026-10-03T15:40"),  # 02:40 on the clock
        ("Europe/Berlin", "2026-03-29T02:30", "2026-03-29T01:30"),  # 03:30
        # a time that exists twice: the first
        ("Europe/Berlin", "2026-10-25T02:30", "2026-10-25T00:30"),
        ("America/New_York", "2026-11-01T01:30", "2026-11-01T05:30"),
        ("Australia/Lord_Howe", "2026-04-05T01:45", "2026-04-04T14:45"),
        # Samoa skipped 30 December 2011
        ("Pacific/Apia", "2011-12-30T09:00", "2011-12-30T19:00"),  # 09:00 on the 31st
        ("Pacific/Apia", "2011-12-29T09:00", "2011-12-29T19:00"),
        # no such zone (any more) counts as UTC; no zone as the tenant's
        ("Mars/Olympus", "2026-12-24T09:00", "2026-12-24T09:00"),
    ],
)
def test_when_a_zone_becomes_due(zone_name: str, local: str, due: str) -> None:
    assert clock(local).due_at(zone_name) == utc(due)


def test_a_recipient_without_a_zone_has_the_tenants() -> None:
    assert clock("2026-12-24T09:00", tenant_zone="Asia/Tokyo").due_at("") == utc("2026-12-24T00:00")


@pytest.mark.parametrize(
    ("zone_name", "local", "begins", "next_day"),
    [
        ("Europe/Berlin", "2026-12-24T09:00", "2026-12-24T08:00", "2026-12-24T08:00"),  # not over yet
        ("Europe/Berlin", "2026-12-24T09:00", "2026-12-24T08:01", "2026-12-25T08:00"),
        # the next day at the same time of the clock: 23 and 25 hours later where the clock jumps
        ("Europe/Berlin", "2026-03-28T09:00", "2026-03-28T10:00", "2026-03-29T07:00"),
        ("Europe/Berlin", "2026-10-24T09:00", "2026-10-24T10:00", "2026-10-25T08:00"),
        # over for more than a day in Kiribati, while it is not over everywhere
        ("Pacific/Kiritimati", "2026-12-24T09:00", "2026-12-24T20:00", "2026-12-25T19:00"),
        ("Pacific/Apia", "2011-12-29T09:00", "2011-12-29T20:00", "2011-12-30T19:00"),
    ],
)
def test_who_is_too_late_gets_it_the_next_day_or_is_left_out(
    zone_name: str, local: str, begins: str, next_day: str
) -> None:
    assert clock(local, utc(begins)).due_at(zone_name) == utc(next_day)
    is_over = utc(next_day) - clock(local).due_at(zone_name) > timedelta(hours=1)  # type: ignore[operator]
    left_out = clock(local, utc(begins), "leave_out").due_at(zone_name)
    assert left_out == (None if is_over else utc(next_day))


def test_a_due_time_shows_the_local_time_on_the_clock_of_every_zone() -> None:
    local = datetime(2026, 12, 24, 9)
    due = {name: clock(local.isoformat()).due_at(name) for name in sorted(available_timezones())}
    assert all(at is not None and at.astimezone(zone(name)).replace(tzinfo=None) == local for name, at in due.items())
    assert len(set(due.values())) < 45  # waves are by offset, not by zone


def person(zone_name: str, external_id: str = "x") -> Person:
    return Person(uuid.uuid4(), external_id, "", "", "", "en", zone_name, "active", {})


def test_people_of_one_offset_are_in_one_wave_and_the_earliest_wave_is_first() -> None:
    zones = ["Europe/Berlin", "Asia/Tokyo", "Europe/Vienna", "", "Europe/London"]
    split = split_people([person(name) for name in zones], clock("2026-12-24T09:00", tenant_zone="Africa/Tunis"))
    assert [(at.hour, len(people)) for at, people in split.waves.items()] == [(0, 1), (8, 3), (9, 1)]
    out = split_people([person(n) for n in zones], clock("2026-12-24T09:00", utc("2026-12-24T08:30"), "leave_out"))
    assert [(at.hour, len(p)) for at, p in out.waves.items()] == [(9, 2)]
    assert [p.timezone for p in out.left_out] == ["Europe/Berlin", "Asia/Tokyo", "Europe/Vienna"]


def test_a_local_time_that_is_over_everywhere_is_refused() -> None:
    local = datetime(2026, 12, 24, 9)
    check_not_over(local, utc("2026-12-24T20:59"))
    check_not_over(None, utc("2026-12-24T20:59"))
    with pytest.raises(InvalidInput) as refused:
        check_not_over(local, utc("2026-12-24T21:00"))
    assert (refused.value.field, refused.value.code) == ("local_time", "in_the_past")


def test_the_canary_of_a_campaign_in_waves_leaves_with_the_earliest() -> None:
    first, second, third = (utc(f"2026-12-24T0{hour}:00") for hour in (1, 2, 3))
    push, email = ("push", "fcm", ""), ("email", "", "")
    sizes = {Route(*push, first): 3, Route(*push, second): 50, Route(*push, third): 47, Route(*email, second): 100}
    assert canary_counts(sizes, 10, 0) == {
        Route(*push, first): 3,
        Route(*push, second): 7,
        Route(*push, third): 0,
        Route(*email, second): 10,
    }
    assert canary_counts({Route(*push): 100}, 10, 0) == {Route(*push): 10}
    assert canary_counts({Route(*push, first): 3}, 0, 0) == {Route(*push, first): 0}
