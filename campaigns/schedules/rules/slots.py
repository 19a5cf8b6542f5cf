"""The slots of a repetition: when it comes, as times in UTC, over every change of the clocks. Pure.

Daily, weekly and monthly slots follow the wall clock. A time that the clock skips moves forward to the next minute
that the clock shows, so 02:30 becomes 03:00; of a time that the clock shows twice the first one counts. Hourly and
minutely slots are steps of real time: in New York both 01:00s of 1 November 2026 have one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from campaigns.schedules.rules.rule import Rule, Unit

#: a repetition without a slot for so long has none: 29 February comes every four years, but for 2100
HORIZON = timedelta(days=5 * 366)
#: steps on days of the rule without a slot. The minutes of a day come again after 1,440 steps at most; 15-minute steps
#: cover 312 days, with both changes of the clocks. 12 µs a step: all steps of HORIZON took 2 s
_MOST_STEPS = 30_000
_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True)
class Timing:
    """When a schedule runs. `rule` None: once, at `starts`. `starts` and `ends` are times of the zone's wall clock."""

    starts: datetime
    rule: Rule | None = None
    ends: datetime | None = None


def slots(timing: Timing, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    """The slots later than `after` in order, as UTC. Ends when HORIZON has passed without a slot.

    6 µs a day without a slot and 4 µs a slot; a rule with COUNT is counted from its start."""
    if timing.rule is None:
        moment = instant(timing.starts, zone)
        if moment > after:
            yield moment
        return
    rule, last = timing.rule, _last(timing, zone)
    counted = rule.count is not None
    start = instant(timing.starts, zone)
    begin = start - _MINUTE if counted else max(start - _MINUTE, after)
    for number, moment in enumerate(_steps(rule, timing.starts, zone, begin), 1):
        if (last is not None and moment > last) or (rule.count is not None and number > rule.count):
            return
        if moment > after:
            yield moment


def instant(local: datetime, zone: ZoneInfo) -> datetime:
    """The time in UTC at which a clock of the zone shows `local`: the first of two, and for a time that the clock
    skips the first minute after the gap."""
    before = local.replace(tzinfo=zone, fold=0)
    moment = before.astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) == local:
        return moment
    # in a gap fold 1 has the offset after it; the change lies between the two readings
    offset = local.replace(tzinfo=zone, fold=1).utcoffset()
    low, high = local.replace(tzinfo=zone, fold=1).astimezone(UTC), moment
    while high - low > _MINUTE:
        middle = low + (high - low) // _MINUTE // 2 * _MINUTE
        low, high = (low, middle) if middle.astimezone(zone).utcoffset() == offset else (middle, high)
    return high


def local_time(moment: datetime, zone: ZoneInfo) -> datetime:
    """What a clock of the zone shows, without a zone."""
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)


def _last(timing: Timing, zone: ZoneInfo) -> datetime | None:
    """The time after which no slot comes."""
    limits = [limit for limit in (timing.ends, timing.rule.until if timing.rule else None) if limit is not None]
    return min((limit if limit.tzinfo else instant(limit, zone) for limit in limits), default=None)


def _steps(rule: Rule, starts: datetime, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    if not rule.steps_in_real_time:
        return _on_wall_clock(rule, starts, zone, after)
    if rule.unit == Unit.HOURS and rule.minutes:
        return _minutes_of_hours(rule, starts, zone, after)
    return _in_real_time(rule, starts, zone, after)


def _on_wall_clock(rule: Rule, starts: datetime, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    times = [time(h, m) for h in rule.hours or (starts.hour,) for m in rule.minutes or (starts.minute,)]
    start = starts.date()
    # a day earlier: a time that the clock skips may move into the next day
    day = max(start, local_time(after, zone).date() - _DAY)
    previous, empty_since = after, day
    while day - empty_since <= HORIZON:
        if rule.has_day(day, start):
            for moment in (instant(datetime.combine(day, at), zone) for at in times):
                if moment > previous:
                    previous, empty_since = moment, day
                    yield moment
        day += _DAY


def _in_real_time(rule: Rule, starts: datetime, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    start = instant(starts, zone)
    step = rule.interval * (_MINUTE if rule.unit == Unit.MINUTES else _HOUR)
    moment = _step_after(start, step, after)
    empty_since, empty_steps = moment, 0
    while moment - empty_since <= HORIZON and empty_steps < _MOST_STEPS:
        local = local_time(moment, zone)
        if not rule.has_day(local.date(), starts.date()):
            moment = _step_after(start, step, _midnight_after(local.date(), zone) - _MINUTE)
            continue
        empty_steps += 1
        if _time_matches(rule, local):
            empty_since, empty_steps = moment, 0
            yield moment
        moment += step


def _minutes_of_hours(rule: Rule, starts: datetime, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    """Each `interval`-th hour of real time, at these minutes of the clock."""
    first_hour = instant(starts, zone) - starts.minute * _MINUTE
    step = rule.interval * _HOUR
    hour = _step_after(first_hour, step, after - _HOUR)
    empty_since = hour
    while hour - empty_since <= HORIZON:
        local = local_time(hour, zone)
        # a change of the clocks within the hour may lead into the next day
        if not any(rule.has_day(day, starts.date()) for day in {local.date(), (local + 2 * _HOUR).date()}):
            # where clocks change by half an hour, the last hour of a day begins at 23:30
            hour = max(hour + step, _step_after(first_hour, step, _midnight_after(local.date(), zone) - _HOUR))
            continue
        # the minutes are known unless the clocks change within the hour: 1,440 readings of a clock a day took 4 ms
        steady = local_time(hour + 59 * _MINUTE, zone) - local == 59 * _MINUTE
        minutes = sorted((minute - local.minute) % 60 for minute in rule.minutes) if steady else range(60)
        for moment in (hour + n * _MINUTE for n in minutes):
            shown = local_time(moment, zone)
            matches = _time_matches(rule, shown) and rule.has_day(shown.date(), starts.date())
            if matches and moment > after:
                empty_since = hour
                yield moment
        hour += step


def _time_matches(rule: Rule, local: datetime) -> bool:
    return (not rule.hours or local.hour in rule.hours) and (not rule.minutes or local.minute in rule.minutes)


def _step_after(start: datetime, step: timedelta, after: datetime) -> datetime:
    """The first of start, start + step, … that is later than `after`."""
    return start if after < start else start + ((after - start) // step + 1) * step


def _midnight_after(day: date, zone: ZoneInfo) -> datetime:
    return instant(datetime.combine(day + _DAY, time()), zone)
