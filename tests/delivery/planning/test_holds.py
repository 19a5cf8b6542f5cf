"""Holds of any combination of quiet hours, send window and snooze: never inside of closed hours, always the earliest
minute."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from notifier.delivery.planning.closed_hours import ClosedHours, find_end
from notifier.values.send_windows import is_holiday
from notifier.vocabulary.status import Reason

MINUTE = timedelta(minutes=1)
ZONES = [
    "UTC", "Europe/Vienna", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Casablanca",
    "America/Havana", "Africa/Cairo",
]  # fmt: skip
#: around changes of a clock, and any time
TIMES = st.one_of(
    st.datetimes(datetime(2026, 3, 6), datetime(2026, 4, 7), timezones=st.just(UTC)),
    st.datetimes(datetime(2026, 10, 2), datetime(2026, 11, 3), timezones=st.just(UTC)),
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC)),
)
HOURS = st.tuples(st.integers(0, 1440), st.integers(0, 1440)).map(lambda pair: (min(pair), max(pair)))
WEEKS = st.one_of(
    st.just(()),
    st.lists(st.one_of(HOURS, st.just((0, 0))), min_size=7, max_size=7)
    .map(tuple)
    .filter(lambda week: any(closes - opens >= 60 for opens, closes in week)),
)


@st.composite
def cases(draw: st.DrawFn) -> tuple[ClosedHours, datetime]:
    now = draw(TIMES)
    snooze = draw(st.one_of(st.just(0.0), st.integers(-3600, 4 * 86400).map(lambda s: now.timestamp() + s + 0.5)))
    week = draw(WEEKS)
    start, end = draw(st.integers(0, 1439)), draw(st.integers(0, 1439))
    if week:  # quiet hours and window together must leave some hours open
        opens, closes = max(week, key=lambda hours: hours[1] - hours[0])
        start, end = draw(st.sampled_from([(closes % 1440, opens % 1440), (start, (start + 30) % 1440), (0, 0)]))
    return ClosedHours(draw(st.sampled_from(ZONES)), start, end, week, draw(st.sampled_from(["", "FR"])), snooze), now


def is_closed(hours: ClosedHours, at: datetime) -> bool:
    """The same rules, written a second time, for one minute."""
    if at.timestamp() < hours.snoozed_until:
        return True
    local = at.astimezone(ZoneInfo(hours.zone))
    minute = local.hour * 60 + local.minute
    if hours.quiet_from < hours.quiet_until and hours.quiet_from <= minute < hours.quiet_until:
        return True
    if hours.quiet_from > hours.quiet_until and (minute >= hours.quiet_from or minute < hours.quiet_until):
        return True
    if not hours.week:
        return False
    opens, closes = hours.week[local.weekday()]
    return not opens <= minute < closes or bool(hours.holidays and is_holiday(hours.holidays, local.date()))


@settings(max_examples=400, deadline=None)
@given(cases())
def test_a_hold_ends_at_the_earliest_minute_that_is_open(case: tuple[ClosedHours, datetime]) -> None:
    hours, now = case
    hold = find_end(hours, "UTC", now)
    if hold is None:
        assert not is_closed(hours, now)
        return
    assert hold.until > now and hold.until.second == hold.until.microsecond == 0
    assert not is_closed(hours, hold.until)
    minute = max(now, hold.until - timedelta(days=3)).replace(second=0, microsecond=0) + MINUTE
    assert is_closed(hours, now)
    while minute < hold.until:
        assert is_closed(hours, minute), minute
        minute += MINUTE


def at(text: str, zone: str = "Europe/Paris") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


DAY_8_TO_22 = ((480, 1320),) * 6 + ((0, 0),)


def test_the_rule_that_holds_last_is_the_reason() -> None:
    night = ClosedHours("Europe/Paris", 22 * 60, 7 * 60, ((480, 1320),) * 7)
    assert find_end(night, "UTC", at("2026-07-01 23:00")) == (at("2026-07-02 08:00"), Reason.SEND_WINDOW)
    late = ClosedHours("Europe/Paris", 22 * 60, 9 * 60, ((480, 1320),) * 7)
    assert find_end(late, "UTC", at("2026-07-01 23:00")) == (at("2026-07-02 09:00"), Reason.QUIET_HOURS)
    snoozed = late._replace(snoozed_until=at("2026-07-05 12:00:01").timestamp())
    assert find_end(snoozed, "UTC", at("2026-07-01 23:00")) == (at("2026-07-05 12:01"), Reason.SNOOZED)
    into_the_night = late._replace(snoozed_until=at("2026-07-05 23:30").timestamp())
    assert find_end(into_the_night, "UTC", at("2026-07-01 12:00")) == (at("2026-07-06 09:00"), Reason.QUIET_HOURS)


def test_a_french_sunday_and_a_holiday_are_closed() -> None:
    france = ClosedHours("Europe/Paris", week=DAY_8_TO_22, holidays="FR")
    saturday = find_end(france, "UTC", at("2026-07-04 22:30"))
    assert saturday is not None and saturday.until == at("2026-07-06 08:00")
    # Easter Sunday is 5 April 2026; Easter Monday is closed, too, and the clock changed the week before
    easter = find_end(france, "UTC", at("2026-04-04 22:00"))
    assert easter is not None and easter.until == at("2026-04-07 08:00")
