"""When a schedule runs, from its columns: its rule, its zone, its slots; and the refusals of times that make no
sense."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

from campaigns.arming.planning.waves import FIRST, LAST
from campaigns.models import Schedule
from campaigns.schedules.rules.cron import read_cron
from campaigns.schedules.rules.rrule import LEAST_MINUTES, read_rrule
from campaigns.schedules.rules.rule import Rule
from campaigns.schedules.rules.slots import HORIZON, Timing, instant, local_time, slots
from notifier.delivery.planning import recipients
from notifier.errors import InvalidInput
from notifier.values.zones import zone

#: the zones in which a time of the wall clock comes first and last. A campaign at each recipient's local time begins in
#: the first one; UTC+14 is written Etc/GMT-14
FIRST_ZONE, LAST_ZONE = ZoneInfo("Etc/GMT-14"), ZoneInfo("Etc/GMT+12")
#: a campaign at each recipient's local time is on time until the last zone has passed
AROUND_THE_EARTH = LAST - FIRST
_FORM = "%Y-%m-%dT%H:%M"
_UTC = ZoneInfo("UTC")
#: slots that are compared to find two that lie too close: a day has 96 at most
_COMPARED = 200


def wall_clock(text: str) -> datetime:
    """The stored form of a time without a zone."""
    return datetime.strptime(text, _FORM)


def as_text(local: datetime) -> str:
    return local.strftime(_FORM)


def rule_of(schedule: Schedule) -> Rule | None:
    """None: the schedule runs once. Raises InvalidInput."""
    if schedule.rrule:
        return read_rrule(schedule.rrule)
    return read_cron(schedule.cron) if schedule.cron else None


def timing_of(schedule: Schedule) -> Timing:
    ends = wall_clock(schedule.ends) if schedule.ends else None
    return Timing(wall_clock(schedule.at or schedule.starts), rule_of(schedule), ends)


def zone_of(schedule: Schedule) -> ZoneInfo:
    """The zone whose wall clock the schedule follows. For a campaign at local time it is the first zone on earth."""
    if not schedule.local:
        return zone(schedule.timezone)
    return FIRST_ZONE if schedule.is_campaign else zone(_zone_of_recipient(schedule))


def _zone_of_recipient(schedule: Schedule) -> str:
    external_id = str(schedule.notification["recipient"])
    person = recipients.load_by_external_ids(schedule.tenant_id, [external_id]).get(external_id)
    return (person.timezone if person else "") or schedule.timezone


def slots_after(schedule: Schedule, after: datetime) -> Iterator[datetime]:
    """The slots later than `after`, as UTC."""
    return slots(timing_of(schedule), zone_of(schedule), after)


def shown_time(schedule: Schedule, moment: datetime, zone_info: ZoneInfo | None = None) -> str:
    """What the wall clock of the schedule shows at a slot."""
    return as_text(local_time(moment, zone_info or zone_of(schedule)))


# ---- refusals ------------------------------------------------------------------------------------------------------


def check_timing(schedule: Schedule, now: datetime) -> None:
    """Raise InvalidInput, naming the field, for a schedule that would never run, too often, or is over."""
    given = [name for name in ("at", "rrule", "cron") if getattr(schedule, name)]
    if len(given) != 1:
        why = "Choose one of at (once), rrule and cron" if not given else f"Not beside {given[0]}: choose one"
        raise InvalidInput(f"{why}.", field=given[1] if given else "at", code="one_timing")
    if schedule.at:
        _check_once(schedule, now)
        return
    rule = rule_of(schedule)
    assert rule is not None
    if schedule.ends and wall_clock(schedule.ends) <= wall_clock(schedule.starts):
        raise InvalidInput(f"Must be after starts, {schedule.starts}.", field="ends", code="before_starts")
    if rule.steps_in_real_time and schedule.local and schedule.is_campaign:
        raise InvalidInput(
            "A campaign at each recipient's local time takes 26 hours to go around the earth: choose a daily, weekly "
            "or monthly rule.",
            field="local",
            code="too_often",
        )
    _check_slots(schedule, given[0], now)


def _check_once(schedule: Schedule, now: datetime) -> None:
    for name in ("starts", "ends"):
        if getattr(schedule, name):
            raise InvalidInput("Is for a rule that repeats; leave it out beside at.", field=name, code="not_with_at")
    last = LAST_ZONE if schedule.local and schedule.is_campaign else zone_of(schedule)
    if instant(wall_clock(schedule.at), last) <= now:
        shown = shown_time(schedule, now, last)
        raise InvalidInput(f"Is in the past; there it is {shown}.", field="at", code="in_the_past")


def _check_slots(schedule: Schedule, field: str, now: datetime) -> None:
    first = next(slots_after(schedule, now), None)
    if first is None or first > now + HORIZON:
        raise InvalidInput("Has no slot within five years from now.", field=field, code="no_slot")
    # in UTC, whose days all have 24 hours: a change of the clocks may bring two slots together
    coming = islice(slots(timing_of(schedule), _UTC, now - timedelta(days=1)), _COMPARED)
    for earlier, later in pairwise(coming):
        if later - earlier < timedelta(minutes=LEAST_MINUTES):
            raise InvalidInput(
                f"Two slots lie less than {LEAST_MINUTES} minutes apart: {earlier:%H:%M} and {later:%H:%M}.",
                field=field,
                code="too_often",
            )
